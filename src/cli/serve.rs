//! `loaxa serve`: a small file server for a published folder.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::{Context, Done, Failure};
use crate::daemon::clock::MachineClock;
use crate::domain::text::Text;
use crate::edge::file_server::AccessLog;
use crate::edge::{file_server, published};

/// Shown below the help.
pub const EXAMPLE: &str = "Ví dụ (example):
  loaxa serve /srv/www/loaxa --listen 0.0.0.0:8000
    in ra địa chỉ để ghi vào url của [[source]]; dừng bằng Ctrl+C
    (prints the address for url of the [[source]]; stop with Ctrl+C)";

/// What `serve` is told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Thư mục do `loaxa publish` tạo (the published folder)
    dir: PathBuf,
    /// Địa chỉ và cổng; cổng 0: chọn cổng trống (address and port; port 0: any free one)
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Ghi thêm vào tệp này ai đã hỏi gì, dạng combined, cho loaxa fleet (an access log in the combined format)
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
}

/// Serves until it is interrupted.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Done {
    let failed = |path: String, e: std::io::Error| {
        Failure::Failed(Text::StoreIo { path, cause: e.to_string() }.say(context.language))
    };
    let router = file_server::router(&arguments.dir).map_err(|e| failed(arguments.dir.display().to_string(), e))?;
    let log = match &arguments.access_log {
        Some(path) => Some(
            AccessLog::open(path, Arc::new(MachineClock::plain()))
                .map_err(|e| failed(path.display().to_string(), e))?,
        ),
        None => None,
    };
    let router = file_server::logged(router, log);
    let address = arguments.listen.to_string();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| failed(address.clone(), e))?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(arguments.listen).await.map_err(|e| failed(address.clone(), e))?;
        let local = listener.local_addr().map_err(|e| failed(address.clone(), e))?;
        println!("http://{}/{}", SocketAddr::new(reachable(local.ip()), local.port()), published::LIST);
        tokio::select! {
            served = std::future::IntoFuture::into_future(axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())) => {
                served.map_err(|e| failed(address, e))
            }
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// An address others can use: for "all addresses", the one this machine would go out from.
fn reachable(ip: IpAddr) -> IpAddr {
    if !ip.is_unspecified() {
        return ip;
    }
    // Connecting a datagram socket sends nothing; it only asks the routing table.
    let asked = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    asked.map_or(IpAddr::from([127, 0, 0, 1]), |a| a.ip())
}
