//! How loud a clip may be: what `publish` brings it to, and what a station refuses whoever signed it.
//!
//! The figures are those of EBU R 128: integrated loudness in LUFS, true peak in dBTP. A sound of less than 0.4 s, or
//! one too quiet for the meter's gate, has no loudness; then its peak alone counts. Nobody is refused for being quiet,
//! except when there is nothing at all to hear.
//!
//! A station's bounds stand a little above what publishing makes, because two decoders do not put out the very same
//! samples (AAC makes up noise of its own at each decoding), and gains are rounded.

use crate::domain::text::Text;

/// The loudness announcements are brought to, in LUFS.
pub const TARGET_LUFS: f64 = -16.0;
/// The highest true peak that publishing leaves, in dBTP.
pub const HIGHEST_PEAK_DB: f64 = -1.0;
/// The loudest that publishing makes a clip, in LUFS.
pub const LOUDEST_LUFS: f64 = -8.0;
/// A recording whose true peak does not pass this, in dBTP, cannot be heard: the microphone was off.
pub const SILENT_PEAK_DB: f64 = -60.0;

/// What was measured of a clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Integrated loudness in LUFS; none when it is too short or too quiet to have one.
    pub loudness_lufs: Option<f64>,
    /// True peak in dBTP; none for digital silence.
    pub true_peak_db: Option<f64>,
}

impl Heard {
    /// Whether there is nothing to hear.
    pub fn is_silent(&self) -> bool {
        self.true_peak_db.is_none_or(|peak| peak <= SILENT_PEAK_DB)
    }
}

/// How loud a clip may be with its gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Loudest, in LUFS.
    pub lufs: f64,
    /// Highest true peak, in dBTP.
    pub peak_db: f64,
}

/// For a clip from above: its publisher measured it and set its gain, so what is louder than that was not published
/// by the rules. A decibel and a half above what publishing makes.
pub const PUBLISHED: Bounds = Bounds { lufs: LOUDEST_LUFS + 1.0, peak_db: HIGHEST_PEAK_DB + 0.5 };

/// For a commune's own clip, which nobody brought to a common loudness: music as it is sold (-7 LUFS, peaks of
/// +3 dBTP) and a siren of a full-scale tone pass. What is over is a `gain_db` typed wrongly or a broken file, and
/// would be torn to pieces at the output.
pub const OWN: Bounds = Bounds { lufs: 0.0, peak_db: 6.0 };

/// Why a clip may not air as loud as it is with `gain_db`, if it may not. `file` names it in the sentence.
pub fn objection(file: &str, heard: Heard, gain_db: f64, bounds: Bounds) -> Option<Text> {
    let file = file.to_owned();
    let one = |db: f64| format!("{db:.1}");
    let Some(peak) = heard.true_peak_db.filter(|_| !heard.is_silent()) else {
        return Some(Text::SoundNone { file, peak: heard.true_peak_db.map_or_else(|| "-∞".into(), one) });
    };
    if peak + gain_db > bounds.peak_db {
        let (found, most) = (one(peak + gain_db), one(bounds.peak_db));
        return Some(Text::SoundPeak { file, found, most, gain: format!("{gain_db:+.1}") });
    }
    let loudness = heard.loudness_lufs? + gain_db;
    (loudness > bounds.lufs).then(|| Text::SoundLoud {
        file,
        found: one(loudness),
        most: one(bounds.lufs),
        gain: format!("{gain_db:+.1}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(
        loudness_lufs: Option<f64>,
        true_peak_db: Option<f64>,
        gain_db: f64,
        bounds: Bounds,
    ) -> Option<&'static str> {
        objection("x", Heard { loudness_lufs, true_peak_db }, gain_db, bounds).map(|t| t.name())
    }

    #[test]
    fn only_what_nobody_would_air_is_refused() {
        assert_eq!(said(Some(-16.0), Some(-1.0), 0.0, PUBLISHED), None);
        assert_eq!(said(Some(-30.0), Some(-18.0), 14.0, PUBLISHED), None);
        assert_eq!(said(Some(-16.0), Some(-1.0), 1.0, PUBLISHED), Some("SoundPeak"));
        assert_eq!(said(Some(-9.0), Some(-6.0), 3.0, PUBLISHED), Some("SoundLoud"));
        // Too short or too quiet for the gate: the peak decides.
        assert_eq!(said(None, Some(-3.0), 0.0, PUBLISHED), None);
        assert_eq!(said(None, Some(-3.0), 3.0, PUBLISHED), Some("SoundPeak"));
        assert_eq!(said(None, Some(-59.0), 0.0, PUBLISHED), None);
        for bounds in [PUBLISHED, OWN] {
            assert_eq!(said(None, None, 0.0, bounds), Some("SoundNone"));
            assert_eq!(said(Some(-70.0), Some(-60.0), 20.0, bounds), Some("SoundNone"));
        }
        // A hit as it is sold, a siren, and a gain with a zero too many.
        assert_eq!(said(Some(-6.5), Some(2.4), 0.0, OWN), None);
        assert_eq!(said(Some(-3.0), Some(0.0), 0.0, OWN), None);
        assert_eq!(said(Some(-16.0), Some(-1.0), 20.0, OWN), Some("SoundPeak"));
        assert_eq!(said(Some(-7.0), Some(-3.0), 8.0, OWN), Some("SoundLoud"));
    }
}
