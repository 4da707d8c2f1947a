//! `loaxa page-code`: a one-time code that lets a person in on the station page, or ends what let them in.

use std::process::ExitCode;

use clap::Args;

use super::ask::{request, station};
use super::{Context, Done};
use crate::domain::text::Text;
use crate::edge::control::Request;

/// Shown under `--help`.
pub const EXAMPLE: &str =
    "Ví dụ (example):\n  loaxa page-code --by \"Nguyễn Văn A\"\n  loaxa page-code --revoke \"Nguyễn Văn A\"";

/// `loaxa page-code`
#[derive(Args)]
pub struct Arguments {
    /// Người sẽ dùng mã, tên được ghi vào nhật ký (who, for the log)
    #[arg(long, value_name = "NAME", required_unless_present = "revoke")]
    by: Option<String>,
    /// Thu hồi mọi lần đăng nhập của người này (end every login of a person)
    #[arg(long, value_name = "NAME", conflicts_with = "by")]
    revoke: Option<String>,
}

/// Shows a code, or ends logins.
pub fn run(context: &Context, arguments: &Arguments) -> Done {
    let station = station(context)?;
    let text = match (&arguments.revoke, &arguments.by) {
        (Some(by), _) => {
            let done = request(&station, &Request::PageRevoke { by: by.clone() }, Some(super::ask::SOON))?;
            Text::PageRevoked { by: by.clone(), logins: done["logins"].as_u64().unwrap_or(0) }
        }
        (None, by) => {
            let by = by.clone().unwrap_or_default();
            let done = request(&station, &Request::PageCode { by }, Some(super::ask::SOON))?;
            let text = |key: &str| done[key].as_str().unwrap_or_default().to_owned();
            Text::PageCodeMade { by: text("by"), code: text("code") }
        }
    };
    println!("{}", text.say(station.language));
    Ok(ExitCode::SUCCESS)
}
