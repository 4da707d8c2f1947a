//! Times, dates, days, lengths and sizes: as they are to be written, and what people mean when they write them
//! otherwise.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::fold;
use crate::domain::time::{DAY_MS, Days, parse_duration_ms};

/// `"500MB"`, `"4GB"`, `"1.5 TB"`: bytes, in steps of a thousand; `GiB` in steps of 1024. At least 1 MB.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim().to_ascii_uppercase().as_str() {
        "B" => 1.0,
        "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KIB" => 1024.0,
        "MIB" => 1_048_576.0,
        "GIB" => 1_073_741_824.0,
        "TIB" => 1_099_511_627_776.0,
        _ => return None,
    };
    let bytes = number * unit;
    (1e6..=1e15).contains(&bytes).then_some(bytes as u64)
}

/// `05:30`, `5:30`, `05:30:15`.
pub fn parse_time(text: &str) -> Option<NaiveTime> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        if digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None }
    };
    match parts[..] {
        [h, m] => NaiveTime::from_hms_opt(number(h, 1..=2)?, number(m, 2..=2)?, 0),
        [h, m, s] => NaiveTime::from_hms_opt(number(h, 1..=2)?, number(m, 2..=2)?, number(s, 2..=2)?),
        _ => None,
    }
}

/// `2022-10-05`, of the years 1970 to 2199.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    use chrono::Datelike;
    let date: NaiveDate = if text.len() == 10 { text.parse().ok()? } else { return None };
    (1970..2200).contains(&date.year()).then_some(date)
}

pub(super) fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once(['T', ' '])?;
    Some(parse_date(date)?.and_time(parse_time(time)?))
}

/// What someone who wrote a time in another way meant: `5h30`, `17 15`, `17.15`, `24:00`, `1715`, `5h30 chiều`.
pub fn time_guess(text: &str) -> Option<String> {
    let folded = fold(text);
    let numbers: Vec<&str> = folded.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).collect();
    let (hour, minute) = match numbers[..] {
        [one] if one.len() == 4 => (one[..2].parse().ok()?, one[2..].parse().ok()?),
        [one] if one.len() == 3 => (one[..1].parse().ok()?, one[1..].parse().ok()?),
        [hour] if hour.len() <= 2 => (hour.parse::<u32>().ok()?, 0),
        [hour, minute] | [hour, minute, "00" | "0"] if hour.len() <= 2 => (hour.parse().ok()?, minute.parse().ok()?),
        _ => return None,
    };
    let afternoon = ["chieu", "toi", "pm"].iter().any(|w| folded.contains(w));
    let hour = if afternoon && hour < 12 { hour + 12 } else { hour };
    let hour = if hour == 24 && minute == 0 { 0 } else { hour };
    let time = NaiveTime::from_hms_opt(hour, minute, 0)?;
    Some(format!("{:02}:{:02}", time.hour(), time.minute()))
}

/// What a date in another order meant: `01/10/2022`, `1-10-2022`, `2022/10/1`, `2022-10-1`.
pub fn date_guess(text: &str) -> Option<NaiveDate> {
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).collect();
    let [a, b, c] = parts[..] else { return None };
    let (y, m, d) = match (a.len(), c.len()) {
        (4, 1..=2) => (a, b, c),
        (1..=2, 4) => (c, b, a),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(y.parse().ok()?, m.parse().ok()?, d.parse().ok()?)
}

/// What a length of time in other words meant: `90`, `5 phút`, `1 giờ 30 phút`, `5p`.
pub fn duration_guess(text: &str) -> Option<String> {
    let folded = fold(text);
    let mut guess = String::new();
    let mut rest = folded.as_str();
    while !rest.is_empty() {
        rest = rest.trim_start_matches('_');
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 || digits > 6 {
            break;
        }
        let number = &rest[..digits];
        rest = rest[digits..].trim_start_matches('_');
        let word = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..word] {
            "" | "s" | "sec" | "seconds" | "giay" | "g" => "s",
            "m" | "min" | "mins" | "minutes" | "p" | "ph" | "phut" => "m",
            "h" | "hour" | "hours" | "gio" => "h",
            "d" | "day" | "days" | "ngay" => "d",
            _ => return None,
        };
        guess.push_str(&format!("{number}{unit}"));
        rest = &rest[word..];
    }
    parse_duration_ms(&guess).map(|_| guess)
}

/// What weekdays in digits or words meant: `2-6`, `thứ 2, thứ 4`, `2,4,6`, `chủ nhật`. The digits are those of
/// Vietnamese speech: 2 is Monday, 8 Sunday.
pub fn days_guess(text: &str) -> Option<String> {
    let folded: String = text.to_lowercase();
    let mut parts = Vec::new();
    for part in folded.split([',', ';', '+', '&']) {
        let ends: Vec<String> = part.split(['-', '–', '—']).map(day_guess).collect::<Option<_>>()?;
        match &ends[..] {
            [one] => parts.push(one.clone()),
            [a, b] => parts.push(format!("{a}-{b}")),
            _ => return None,
        }
    }
    let guess = parts.join(",");
    Days::parse(&guess).ok().map(|_| guess)
}

fn day_guess(part: &str) -> Option<String> {
    let folded = fold(part);
    let name = folded.trim_matches('_').trim_start_matches("thu").trim_start_matches('t').trim_matches('_');
    let day = match name {
        "2" | "hai" | "mon" | "monday" | "MON" => "T2",
        "3" | "ba" | "ue" | "uesday" | "tue" => "T3",
        "4" | "tu" | "u" | "wed" | "wednesday" => "T4",
        "5" | "nam" | "hursday" | "rsday" => "T5",
        "6" | "sau" | "fri" | "friday" => "T6",
        "7" | "bay" | "sat" | "saturday" => "T7",
        "8" | "1" | "0" | "cn" | "chu_nhat" | "sun" | "sunday" => "CN",
        _ => return Days::day_by_name(part).map(|d| Days::NAMES[d as usize].to_owned()),
    };
    Some(day.to_owned())
}

/// A length of time as it is written in a list.
pub fn duration_text(ms: i64) -> String {
    match ms {
        ms if ms >= DAY_MS && ms % DAY_MS == 0 => format!("{}d", ms / DAY_MS),
        ms if ms >= 3_600_000 && ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        ms if ms >= 60_000 && ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_for_a_time_is_understood() {
        for (written, meant) in [
            ("5h30", "05:30"),
            ("17 15", "17:15"),
            ("17.15", "17:15"),
            ("17h", "17:00"),
            ("24:00", "00:00"),
            ("1715", "17:15"),
            ("5h30 chiều", "17:30"),
            ("5 giờ 30", "05:30"),
        ] {
            assert_eq!(time_guess(written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(time_guess("25:00"), None);
    }

    #[test]
    fn what_people_write_for_days_dates_and_lengths_is_understood() {
        assert_eq!(days_guess("2-6").as_deref(), Some("T2-T6"));
        assert_eq!(days_guess("thứ 2, thứ Tư").as_deref(), Some("T2,T4"));
        assert_eq!(days_guess("Chủ nhật").as_deref(), Some("CN"));
        assert_eq!(days_guess("hàng ngày"), None);
        assert_eq!(date_guess("01/10/2022").unwrap().to_string(), "2022-10-01");
        assert_eq!(date_guess("2022-10-1").unwrap().to_string(), "2022-10-01");
        assert_eq!(date_guess("31/02/2022"), None);
        assert_eq!(duration_guess("90").as_deref(), Some("90s"));
        assert_eq!(duration_guess("5 phút").as_deref(), Some("5m"));
        assert_eq!(duration_guess("1 giờ 30 phút").as_deref(), Some("1h30m"));
    }

    #[test]
    fn sizes_name_their_unit() {
        assert_eq!(parse_size("4GB"), Some(4_000_000_000));
        assert_eq!(parse_size("1.5 GiB"), Some(1_610_612_736));
        assert_eq!(parse_size("4"), None);
    }
}
