//! `loaxa devices`: the ALSA names that exist; marks the one in use.

use std::process::ExitCode;

use crate::cli::{Context, Done, Failure};
use crate::domain::text::Text;
use crate::edge::speaker::device_names;

/// Shown under `--help`.
pub const EXAMPLE: &str = "Ví dụ (example):\n  loaxa devices\n\nChép tên ở cột đầu vào [output] device của station.toml.\n(Copy a name of the first column into [output] device of station.toml.)";

/// Prints one device a line; nothing is opened. Works without a card and without a config.
pub fn run(context: &Context) -> Done {
    let say = |text: Text| text.say(context.language);
    let configured = configured(&context.config);
    let devices = device_names();
    if devices.is_empty() {
        return Err(Failure::Failed(say(Text::NoDevices {})));
    }
    let width = devices.iter().map(|d| d.name.chars().count()).max().unwrap_or(0);
    for device in &devices {
        let used = configured.as_deref() == Some(device.name.as_str());
        let note = if used { format!("  [{}]", say(Text::DeviceInUse {})) } else { String::new() };
        let mark = if used { '*' } else { ' ' };
        println!("{mark} {:width$}  {}{note}", device.name, device.description);
    }
    if let Some(name) = configured
        && name != "null"
        && !name.starts_with("wav:")
        && !devices.iter().any(|d| d.name == name)
    {
        eprintln!("{}", say(Text::DeviceNotListed { name }));
    }
    Ok(ExitCode::SUCCESS)
}

/// The configured device: only this key is looked at, so that a config with mistakes elsewhere still helps.
fn configured(config: &std::path::Path) -> Option<String> {
    let text = std::fs::read_to_string(config).ok()?;
    let table = toml::de::DeTable::parse(text.trim_start_matches('\u{feff}')).ok()?;
    let device = table.get_ref().get("output").and_then(|output| output.get_ref().get("device"));
    Some(device.and_then(|d| d.get_ref().as_str()).unwrap_or("default").to_owned())
}
