//! Switches the amplifier through the commands of `[output] on_start` and `on_stop`: program and arguments, no
//! shell. Each runs on a thread of its own, for a limited time, one after the other.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use crate::domain::text::Text;
use crate::domain::time::Clock;

/// A command that takes longer is ended, nanoseconds.
const LONGEST_NS: i64 = 10_000_000_000;

/// Why a command is run: handed to it as `LOAXA_KIND` and `LOAXA_AIRING`.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// `sound` or `relay`.
    pub kind: &'static str,
    /// The airing that asks for it, when it is one.
    pub airing_id: Option<String>,
}

struct Order {
    argv: Vec<String>,
    on: bool,
    occasion: Occasion,
}

/// The commands, run in order.
pub struct Amplifier {
    orders: Sender<Order>,
}

impl Amplifier {
    /// Starts the thread. `told` is told of each command whether it was to switch on, and the sentence when it failed.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(
        clock: Arc<dyn Clock>,
        told: impl Fn(bool, Result<(), Text>) + Send + 'static,
    ) -> std::io::Result<Amplifier> {
        let (orders, inbox) = channel::<Order>();
        std::thread::Builder::new().name("amplifier".into()).stack_size(256 * 1024).spawn(move || {
            for order in inbox {
                let Some((program, arguments)) = order.argv.split_first() else { continue };
                let result = Command::new(program)
                    .args(arguments)
                    .env("LOAXA_KIND", order.occasion.kind)
                    .env("LOAXA_AIRING", order.occasion.airing_id.as_deref().unwrap_or_default())
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .and_then(|child| wait(child, &*clock));
                let why = match result {
                    Ok(Some(status)) if status.success() => {
                        told(order.on, Ok(()));
                        continue;
                    }
                    Ok(Some(status)) => status.to_string(),
                    Ok(None) => "10 s".to_owned(),
                    Err(error) => error.to_string(),
                };
                told(order.on, Err(Text::HookFails { command: order.argv.join(" "), why }));
            }
        })?;
        Ok(Amplifier { orders })
    }

    /// Runs a command after those before it. An empty one is nothing.
    pub fn order(&self, argv: &[String], on: bool, occasion: Occasion) {
        if !argv.is_empty() {
            // The thread lives as long as this sender.
            let _ = self.orders.send(Order { argv: argv.to_vec(), on, occasion });
        }
    }
}

fn wait(mut child: Child, clock: &dyn Clock) -> std::io::Result<Option<ExitStatus>> {
    let until = clock.now().boot_ns + LONGEST_NS;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if clock.now().boot_ns >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
