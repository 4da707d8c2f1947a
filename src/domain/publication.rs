//! From the list an editor writes to the list stations read: every key is carried over as it stands, and what
//! only the publisher knows is added.

pub mod overview;

use serde_json::{Map, Number, Value as Json};

use crate::domain::document::{Node, Table, Value};
use crate::domain::loudness::{HIGHEST_PEAK_DB, Heard, LOUDEST_LUFS};
use crate::domain::text::Text;
use crate::domain::time::{Wall, Zone};

/// The most a clip is raised or lowered, in dB: beyond it a recording is not quiet but broken.
const MOST_GAIN_DB: f64 = 20.0;

/// The least `gain_db` that a list may hold; the most is [`MOST_GAIN_DB`].
const LEAST_GAIN_DB: f64 = -60.0;

/// What publishing adds to one clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The length of its sound in milliseconds.
    pub duration_ms: i64,
    /// The gain that brings it to the target, its own `gain_db` included.
    pub gain_db: f64,
    /// Where it is, relative to the list.
    pub url: String,
}

/// What publishing adds on top.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The serial (rule R12).
    pub serial: u64,
    /// Now.
    pub issued_at: Wall,
    /// The end of its life.
    pub expires_at: Wall,
    /// The zone times are written in.
    pub zone: Zone,
    /// Whether it is an urgent list.
    pub urgent: bool,
}

/// The next serial (rule R12): one after the last in the folder or the one asked for, whichever is higher.
pub fn next_serial(last: Option<u64>, asked: Option<u64>) -> Option<u64> {
    last.unwrap_or(0).max(asked.unwrap_or(0)).checked_add(1)
}

/// The published list as text: the same input gives the same bytes. `facts` follow the order of `clips`.
pub fn document(root: &Table, facts: &[Facts], head: &Head) -> String {
    let mut out = Map::new();
    out.insert("format".into(), Json::from(crate::domain::signature::FORMAT));
    if let Some(source) = root.get("source") {
        out.insert("source".into(), json(&source.node));
    }
    out.insert("serial".into(), Json::from(head.serial));
    out.insert("issued_at".into(), Json::from(head.zone.rfc3339_seconds(head.issued_at)));
    out.insert("expires_at".into(), Json::from(head.zone.rfc3339_seconds(head.expires_at)));
    if head.urgent {
        out.insert("urgent".into(), Json::from(true));
    }
    for entry in &root.entries {
        if entry.key == "urgent" || out.contains_key(&entry.key) {
            continue; // written above, whatever the hand-written list says
        }
        let mut value = json(&entry.node);
        if entry.key == "clips"
            && let Json::Array(clips) = &mut value
        {
            for (clip, facts) in clips.iter_mut().zip(facts) {
                if let Json::Object(clip) = clip {
                    clip.insert("url".into(), facts.url.clone().into());
                    clip.insert("sha256".into(), facts.sha256.clone().into());
                    clip.insert("bytes".into(), facts.bytes.into());
                    clip.insert("duration_ms".into(), facts.duration_ms.into());
                    clip.insert("gain_db".into(), real(facts.gain_db));
                }
            }
        }
        out.insert(entry.key.clone(), value);
    }
    let mut text = format!("{:#}", Json::Object(out));
    text.push('\n');
    text
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Text(text) | Value::Moment(text) => Json::from(text.clone()),
        Value::Whole(n) => Json::from(*n),
        Value::Real(n) => real(*n),
        Value::Flag(flag) => Json::from(*flag),
        Value::Null => Json::Null,
        Value::List(list) => Json::Array(list.iter().map(json).collect()),
        Value::Table(table) => Json::Object(table.entries.iter().map(|e| (e.key.clone(), json(&e.node))).collect()),
    }
}

fn real(n: f64) -> Json {
    Number::from_f64(n).map_or(Json::Null, Json::Number)
}

/// The gain for a clip in dB, rounded to a tenth, and what an editor should know of it.
///
/// `own_db` is the clip's own `gain_db`, which adds to the measured one. The limits of peak and loudness hold for the
/// sum, so that no station refuses the clip for either; one that cannot be heard it refuses
/// ([`crate::domain::loudness::objection`]).
pub fn gain_db(title: &str, heard: Heard, own_db: f64, target_lufs: f64) -> (f64, Option<Text>) {
    let title = title.to_owned();
    // Downward, so that rounding does not pass a limit.
    let tenth_down = |db: f64| (db * 10.0 + 1e-6).floor() / 10.0;
    let Some(peak) = heard.true_peak_db.filter(|_| !heard.is_silent()) else { return (0.0, None) };
    let by_peak = tenth_down(HIGHEST_PEAK_DB - peak);
    let Some(loudness) = heard.loudness_lufs else {
        // Too short to have a loudness.
        return (((own_db * 10.0).round() / 10.0).min(by_peak), None);
    };
    let by_loudness = tenth_down(LOUDEST_LUFS - loudness);
    let wanted = target_lufs - loudness;
    let asked = ((wanted.clamp(-MOST_GAIN_DB, MOST_GAIN_DB) + own_db) * 10.0).round() / 10.0;
    let asked = asked.clamp(LEAST_GAIN_DB, MOST_GAIN_DB);
    let gain = asked.min(by_peak).min(by_loudness).max(LEAST_GAIN_DB);
    let short = asked - gain;
    let warning = if wanted > MOST_GAIN_DB {
        Some(Text::ClipTooQuiet { title, lufs: format!("{loudness:.0}") })
    } else if short > 0.0 && by_loudness < by_peak {
        Some(Text::ClipHeldLoudest { title, most: format!("{LOUDEST_LUFS:.0}") })
    } else {
        (short > 3.0).then(|| Text::ClipPeaks { title, short: format!("{short:.1}") })
    };
    (gain, warning)
}

/// A recording whose peaks pass full scale was cut off at the top when it was made: what an editor should know of it.
pub fn clipping(title: &str, heard: Heard) -> Option<Text> {
    let peak = heard.true_peak_db.filter(|peak| *peak > 0.0)?;
    Some(Text::ClipClips { title: title.to_owned(), peak: format!("{peak:+.1}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::read_toml;
    use crate::domain::loudness::{PUBLISHED, TARGET_LUFS, objection};
    use crate::domain::playlist::{Form, read_list};

    fn head() -> Head {
        Head {
            serial: 7,
            issued_at: Wall::parse_rfc3339("2022-10-01T08:00:00+07:00").unwrap(),
            expires_at: Wall::parse_rfc3339("2022-11-01T08:00:00+07:00").unwrap(),
            urgent: false,
            zone: Zone::default(),
        }
    }

    #[test]
    fn every_key_of_the_hand_written_list_is_carried_over() {
        let text = include_str!("playlist/whole.toml");
        let (root, findings) = read_toml(text);
        assert!(findings.is_empty());
        let Value::Table(root) = root.value else { panic!() };
        let facts: Vec<Facts> = (0..2)
            .map(|n| Facts {
                sha256: format!("{n}").repeat(64),
                bytes: 10,
                duration_ms: 20_000,
                gain_db: -2.5,
                url: format!("clips/{n}.mp3"),
            })
            .collect();
        let published = document(&root, &facts, &head());
        assert_eq!(published, document(&root, &facts, &head()));
        let reading = read_list(published.as_bytes(), Form::Published);
        assert_eq!(reading.findings, Vec::new());

        // Read both, forget where things stand and what was added: the same list.
        let plain = |list: &crate::domain::playlist::List| {
            let mut list = list.clone();
            (list.format, list.serial, list.issued_at, list.expires_at) = (None, None, None, None);
            for clip in &mut list.clips {
                (clip.url, clip.sha256, clip.bytes, clip.duration_ms, clip.gain_db) = (None, None, None, None, 0.0);
            }
            let debug = format!("{list:?}");
            // Spans differ between the two files.
            let mut out = String::new();
            let mut rest = debug.as_str();
            while let Some(at) = rest.find("span: ") {
                out.push_str(&rest[..at]);
                rest = rest[at + 6..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            }
            out + rest
        };
        let written = read_list(text.as_bytes(), Form::Handwritten).value.unwrap();
        assert_eq!(plain(&reading.value.unwrap()), plain(&written));
    }

    #[test]
    fn serials_go_up_by_rule_r12() {
        assert_eq!(next_serial(None, None), Some(1));
        assert_eq!(next_serial(Some(4), None), Some(5));
        assert_eq!(next_serial(Some(4), Some(9)), Some(10));
        assert_eq!(next_serial(Some(9), Some(4)), Some(10));
        assert_eq!(next_serial(Some(u64::MAX), None), None);
    }

    #[test]
    fn loudness_comes_to_the_target_and_peaks_stay_below() {
        let gain = |loudness_lufs, true_peak_db, own| {
            let (db, warning) = gain_db("x", Heard { loudness_lufs, true_peak_db }, own, TARGET_LUFS);
            (db, warning.map(|w| w.name()))
        };
        assert_eq!(gain(Some(-23.04), Some(-9.0), 0.0), (7.0, None));
        assert_eq!(gain(Some(-10.0), Some(-0.1), 0.0), (-6.0, None));
        assert_eq!(gain(Some(-23.0), Some(-9.0), 1.0), (8.0, None));
        // Limited by the peak, rounded down; told when it stays much too quiet.
        assert_eq!(gain(Some(-20.0), Some(-3.13), 0.0), (2.1, None));
        assert_eq!(gain(Some(-30.0), Some(-3.0), 0.0), (2.0, Some("ClipPeaks")));
        assert_eq!(gain(Some(-60.0), Some(-40.0), 0.0), (20.0, Some("ClipTooQuiet")));
        assert_eq!(gain(None, Some(-6.0), 0.0), (0.0, None));
        assert_eq!(gain(None, Some(-6.0), 9.0), (5.0, None));
        // An own gain does not pass the loudest there is.
        assert_eq!(gain(Some(-20.0), Some(-17.0), 10.0), (12.0, Some("ClipHeldLoudest")));
    }

    /// What publishing makes of a clip no station refuses, whatever was recorded, asked for and rounded.
    #[test]
    fn what_is_published_is_never_refused() {
        for loudness in (-700..60).step_by(7).map(|n| Some(f64::from(n) / 10.0 + 0.04)).chain([None]) {
            for peak in (-599..80).step_by(13).map(|n| f64::from(n) / 10.0 + 0.05) {
                let heard = Heard { loudness_lufs: loudness, true_peak_db: Some(peak) };
                for (own, target) in [(0.0, -16.0), (0.05, -8.0), (20.0, -8.0), (-30.0, -40.0), (12.34, -23.0)] {
                    let (gain, _) = gain_db("x", heard, own, target);
                    assert_eq!(objection("x", heard, gain, PUBLISHED), None, "{heard:?} {own} {target}: {gain}");
                    assert!(peak + gain <= HIGHEST_PEAK_DB + 0.001, "{heard:?} {gain}");
                }
            }
        }
    }
}
