//! `report diary`: the station's Sổ nhật ký chương trình phát thanh, one day a table.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate, Weekday};

use super::gather::{Away, Gathered, Happening, Line, station_airings};
use super::paper::{
    Align, Block, Cell, Form, Letterhead, Paper, Table, Tally, boxes, by_device, day, ending, grouped, kind_words,
    minutes, moment, notices, played, provenance, weekday, weekday_first,
};
use super::period::source_words;
use crate::domain::airing::{Kind, Outcome};
use crate::domain::config::Origin;
use crate::domain::time::{Wall, next_day};

/// A week of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Week {
    /// Its Monday.
    pub monday: NaiveDate,
}

impl Week {
    /// `2022-W40`: the weeks of ISO 8601, from Monday to Sunday.
    pub fn parse(text: &str) -> Option<Week> {
        let (year, week) = text.split_once("-W")?;
        let digits = |t: &str, n: usize| t.len() == n && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(week, 2) {
            return None;
        }
        NaiveDate::from_isoywd_opt(year.parse().ok()?, week.parse().ok()?, Weekday::Mon).map(|monday| Week { monday })
    }

    /// The week a date lies in.
    pub fn of(date: NaiveDate) -> Week {
        let week = date.iso_week();
        Week { monday: NaiveDate::from_isoywd_opt(week.year(), week.week(), Weekday::Mon).unwrap_or(date) }
    }

    /// Its days, from Monday.
    pub fn days(&self) -> [NaiveDate; 7] {
        let mut date = self.monday;
        std::array::from_fn(|i| {
            if i > 0 {
                date = next_day(date);
            }
            date
        })
    }

    fn name(&self) -> String {
        let week = self.monday.iso_week();
        let [first, .., last] = self.days();
        let (a, b) = (day(first), day(last));
        format!("Tuần {} năm {} (từ {} {a} đến {} {b})", week.week(), week.year(), weekday(first), weekday(last))
    }
}

/// What an event says in the book; none when the book does not tell of it.
fn happening_words(head: &Letterhead, happening: &Happening) -> Option<String> {
    let detail = |key: &str| {
        happening.detail.get(key).and_then(|v| match v {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(n) => Some(n.to_string()),
            _ => None,
        })
    };
    let by = happening.by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
    let text = match happening.event.as_str() {
        "list_in_force" => {
            let serial = detail("serial").map_or(String::new(), |s| format!(" số {s}"));
            format!("Danh sách mới của {}{serial} có hiệu lực", detail("source").unwrap_or_default())
        }
        "keys_in_force" => {
            let version = detail("version").map_or(String::new(), |v| format!(" bản {v}"));
            format!("Bộ khóa mới (keys.json{version}) của {} có hiệu lực", detail("source").unwrap_or_default())
        }
        "config" if happening.detail.get("accepted").is_some_and(|a| a == false) => {
            format!("Không nhận cấu hình mới: {}", detail("finding").unwrap_or_default())
        }
        "config" => "Cấu hình mới có hiệu lực".to_owned(),
        "withdrawal" => format!("Thu hồi {}", detail("what").or_else(|| detail("id")).unwrap_or_default()),
        "stop" => format!("Dừng phát{by}{}", detail("why").map_or(String::new(), |w| format!(": {w}"))),
        "resume" => format!("Phát tiếp{by}"),
        "clock_step" => "Đồng hồ của máy được chỉnh lại".to_owned(),
        "repair" => {
            let lost = detail("lost").filter(|n| n != "0");
            format!("Nhật ký được khôi phục{}", lost.map_or(String::new(), |n| format!(", mất {n} dòng")))
        }
        "note" => {
            let name = happening.by.as_deref().unwrap_or("-");
            format!("Ghi chú của {name} (người ghi tự nhập): {}", detail("text").unwrap_or_default())
        }
        _ => return None,
    };
    Some(format!("{} {text}", head.local(happening.at).format("%H:%M:%S")))
}

fn away_words(head: &Letterhead, away: &Away) -> String {
    let (from, to) = (head.local(away.from), head.local(away.to));
    let why = if away.farewell { "tắt đúng cách" } else { "mất điện hoặc dừng đột ngột" };
    let about = if away.farewell { "từ" } else { "từ sau" };
    format!("Thiết bị {} không hoạt động {about} {} đến {} ({why})", away.device_id, moment(from), moment(to))
}

/// What stands in one place of a day.
enum Entry<'a> {
    Session(String),
    Airing(&'a super::gather::StationAiring),
    Line(String),
}

fn day_table(
    head: &Letterhead,
    gathered: &Gathered,
    date: NaiveDate,
    airings: &[super::gather::StationAiring],
) -> Table {
    let mut entries: Vec<(Wall, u8, Entry)> = Vec::new();
    let mut session: Option<(Option<&str>, Wall)> = None;
    let today = airings.iter().filter(|a| head.date(a.best.planned_at) == date);
    let mut sorted: Vec<_> = today.clone().collect();
    sorted.sort_by_key(|a| a.best.planned_at);
    for airing in &sorted {
        let line = &airing.best;
        if session.is_none_or(|(s, _)| s != line.session.as_deref()) {
            session = Some((line.session.as_deref(), line.planned_at));
            let name = match line.kind {
                Kind::Manual => "Phát theo lệnh của người trực".to_owned(),
                Kind::Emergency => format!("KHẨN CẤP: {}", line.slot_name),
                Kind::Scheduled | Kind::Relay => line.slot_name.to_string(),
            };
            entries.push((line.planned_at, 1, Entry::Session(name)));
        }
        entries.push((line.planned_at, 2, Entry::Airing(airing)));
    }
    for happening in gathered.happenings.iter().filter(|h| head.date(h.at) == date) {
        entries.extend(happening_words(head, happening).map(|text| (happening.at, 0, Entry::Line(text))));
    }
    for away in &gathered.away {
        if head.date(away.from) <= date && date <= head.date(away.to) {
            let at = if head.date(away.from) == date { away.from } else { head.zone.midnight(date) };
            entries.push((at, 0, Entry::Line(away_words(head, away))));
        }
    }
    entries.sort_by_key(|(at, order, _)| (*at, *order));
    use Align::{Left, Middle, Right};
    let columns = [
        ("TT", 5, Right),
        ("Giờ theo lịch", 9, Middle),
        ("Giờ bắt đầu", 9, Middle),
        ("Giờ kết thúc", 9, Middle),
        ("Nội dung", 32, Left),
        ("Loại bài", 12, Left),
        ("Đơn vị gửi", 14, Left),
        ("Người duyệt", 15, Left),
        ("Đã phát (giây)", 9, Right),
        ("Kết quả, lý do", 21, Left),
    ];
    let several = sorted.iter().any(|a| a.all.len() > 1);
    let mut table = Table::new("", day(date).replace('/', "-"), &columns);
    let mut number = 0;
    for (.., entry) in entries {
        match entry {
            Entry::Session(name) | Entry::Line(name) => table.across(name),
            Entry::Airing(airing) => {
                let line = &airing.best;
                let time = |t: Option<Wall>| t.map_or(Cell::Empty, |t| Cell::Time(head.local(t)));
                number += 1;
                let outcome = if several { format!("{} [{}]", ending(line), boxes(airing)) } else { ending(line) };
                table.row(vec![
                    Cell::Count(number),
                    Cell::Time(head.local(line.planned_at)),
                    time(line.started_at),
                    time(line.ended_at),
                    Cell::text(line.title.clone()),
                    Cell::text(kind_words(line)),
                    Cell::text(source_words(&line.source, line.origin.map(Origin::key))),
                    Cell::text(line.approved_by.clone().unwrap_or_default()),
                    played(line),
                    Cell::text(outcome),
                ]);
            }
        }
    }
    table
}

fn day_sum(tally: &Tally) -> String {
    let mut text = format!("Cộng trong ngày: {} lượt phát đủ, {} phút", grouped(tally.aired), minutes(tally.aired_ms));
    if tally.relayed > 0 {
        text.push_str(&format!("; tiếp sóng {} lượt, {} phút", grouped(tally.relayed), minutes(tally.relayed_ms)));
    }
    if tally.cut() > 0 {
        text.push_str(&format!("; {} lượt phát dở, bị ngắt", grouped(tally.cut())));
    }
    if tally.not_begun() > 0 {
        text.push_str(&format!("; {} lượt không phát", grouped(tally.not_begun())));
    }
    text + "."
}

/// The totals of each day of the week: recomputed from the rows the tables list.
pub fn totals(head: &Letterhead, week: &Week, lines: &[Arc<Line>]) -> Vec<(NaiveDate, Tally)> {
    let airings = station_airings(lines);
    let of = |date| Tally::of(airings.iter().map(|a| &*a.best).filter(|l| head.date(l.planned_at) == date));
    week.days().into_iter().map(|date| (date, of(date))).collect()
}

/// The book's week.
pub fn paper(head: Letterhead, gathered: &Gathered, week: &Week) -> Paper {
    let [first, .., last] = week.days();
    let ours: Vec<Arc<Line>> =
        gathered.lines.iter().filter(|l| (first..=last).contains(&head.date(l.planned_at))).cloned().collect();
    let airings = station_airings(&ours);
    let mut blocks = notices(&head, gathered);
    let mut all = Tally::default();
    let today = head.date(head.made_at);
    for (date, tally) in totals(&head, week, &ours) {
        blocks.push(Block::Section(format!("{}, ngày {}", weekday_first(date), day(date))));
        let table = day_table(&head, gathered, date, &airings);
        if table.rows.is_empty() {
            let text =
                if date > today { "Chưa đến ngày." } else { "Không có lượt phát nào trong nhật ký." };
            blocks.push(Block::Text(text.into()));
            continue;
        }
        blocks.push(Block::Table(table));
        blocks.push(Block::Text(day_sum(&tally)));
    }
    airings.iter().for_each(|a| all.add(&a.best));
    let aired = airings.iter().filter(|a| a.best.outcome == Outcome::Aired);
    let sessions: std::collections::BTreeSet<_> = aired.filter_map(|a| a.best.session.as_deref()).collect();
    blocks.push(Block::Section("Cộng trong tuần".into()));
    blocks.push(Block::Text(format!(
        "{} buổi phát; {}",
        grouped(sessions.len() as u64),
        day_sum(&all).replacen("Cộng trong ngày: ", "", 1)
    )));
    blocks.extend(by_device(gathered, &ours).map(Block::Table));
    blocks.extend(provenance(&head, gathered, airings.len()));
    blocks.push(Block::Signatures(vec![
        ("NGƯỜI GHI SỔ".into(), "(ký, ghi rõ họ và tên)".into()),
        ("NGƯỜI PHỤ TRÁCH ĐÀI".into(), "(ký, ghi rõ họ và tên)".into()),
        ("XÁC NHẬN CỦA ỦY BAN NHÂN DÂN".into(), "(ký, đóng dấu)".into()),
    ]));
    Paper {
        form: Form::Book, kind: "SỔ NHẬT KÝ CHƯƠNG TRÌNH PHÁT THANH".into(), subject: week.name(), head, blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_those_of_the_iso_calendar() {
        let week = Week::parse("2022-W40").unwrap();
        assert_eq!(week.monday.to_string(), "2022-10-03");
        assert_eq!(week.name(), "Tuần 40 năm 2022 (từ thứ Hai 03/10/2022 đến Chủ nhật 09/10/2022)");
        assert_eq!(Week::of("2021-01-03".parse().unwrap()), Week::parse("2020-W53").unwrap());
        assert_eq!((Week::parse("2022-W54"), Week::parse("2022-40"), Week::parse("22-W40")), (None, None, None));
    }
}
