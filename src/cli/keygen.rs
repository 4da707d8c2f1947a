//! `loaxa keygen`: the pair of keys an editor signs with, in minisign's own formats.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

use crate::cli::{Context, Done, Failure};
use crate::domain::signature::key_id;
use crate::domain::text::Text;

/// Shown below the help.
pub const EXAMPLE: &str = "Ví dụ (example):
  loaxa keygen --out khoa-tinh
    khoa-tinh.key  khóa ký, giữ kín, không đưa lên máy chủ web (secret: keep it off the web server)
    khoa-tinh.pub  khóa công khai, gửi cho các đài (public: give it to the stations)";

/// What `keygen` is told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Tên cặp khóa: tạo NAME.key và NAME.pub (name of the pair)
    #[arg(long, value_name = "NAME")]
    out: PathBuf,
    /// Đặt mật khẩu cho khóa ký; mỗi lần publish sẽ hỏi (protect the secret key with a password)
    #[arg(long)]
    password: bool,
}

/// Makes the pair.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Done {
    let say = |text: Text| text.say(context.language);
    let (key_path, public_path) = (with_ending(&arguments.out, ".key"), with_ending(&arguments.out, ".pub"));
    for path in [&key_path, &public_path] {
        if path.symlink_metadata().is_ok() {
            let path = path.display().to_string();
            return Err(Failure::Failed(say(Text::KeyFileExists { path })));
        }
    }
    let failed = |e: minisign::PError| Failure::Failed(e.to_string());
    let pair = if arguments.password {
        KeyPair::generate_encrypted_keypair(None).map_err(failed)?
    } else {
        KeyPair::generate_unencrypted_keypair().map_err(failed)?
    };
    // The same words as minisign's own, which tells both kinds apart by the key itself.
    let secret = pair.sk.to_box(Some("minisign encrypted secret key")).map_err(failed)?.to_string();
    let number = key_id(pair.pk.keynum());
    let public = format!("untrusted comment: minisign public key {number}\n{}\n", pair.pk.to_base64());
    for (path, text, mode) in [(&key_path, &secret, 0o600), (&public_path, &public, 0o644)] {
        write_new(path, text, mode).map_err(|e| {
            let (path, cause) = (path.display().to_string(), e.to_string());
            Failure::Failed(say(Text::StoreIo { path, cause }))
        })?;
    }
    println!("{}", pair.pk.to_base64());
    let (key, public) = (key_path.display().to_string(), public_path.display().to_string());
    eprintln!("{}", say(Text::KeysMade { key, public }));
    if !arguments.password {
        eprintln!("{}", say(Text::KeyUnprotected {}));
    }
    Ok(ExitCode::SUCCESS)
}

/// `name.with.points` and `.key`: [`Path::with_extension`] would cut the name.
fn with_ending(name: &Path, ending: &str) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads a secret key, ours or minisign's own; asks for its password on the terminal when it has one.
pub(super) fn read_secret(context: &Context, path: &Path) -> Result<(SecretKey, PublicKey), Failure> {
    let failed = |cause: String| {
        let path = path.display().to_string();
        Failure::Failed(Text::KeyUnreadable { path, cause }.say(context.language))
    };
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    let boxed = || SecretKeyBox::from_string(&text).map_err(|e| failed(e.to_string()));
    let secret = match SecretKey::from_unencrypted_box(boxed()?) {
        Ok(secret) => secret,
        Err(e) if e.to_string().contains("encrypted") => {
            SecretKey::from_box(boxed()?, None).map_err(|e| failed(e.to_string()))?
        }
        Err(e) => without_sum(&text).ok_or_else(|| failed(e.to_string()))?,
    };
    let public = PublicKey::from_secret_key(&secret).map_err(|e| failed(e.to_string()))?;
    Ok((secret, public))
}

/// minisign writes keys without a password without a checksum, which the crate takes for damage. Whether such a key
/// is whole shows when it signs: the signature is checked against its public half.
fn without_sum(text: &str) -> Option<SecretKey> {
    let bytes = base64(text.lines().nth(1)?.trim())?;
    let plain = bytes.len() == 158 && bytes[2..4] == [0, 0] && bytes[126..].iter().all(|b| *b == 0);
    SecretKey::from_bytes(&bytes).ok().filter(|_| plain)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        held = held << 6 | u32::try_from(DIGITS.iter().position(|d| *d == digit)?).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}
