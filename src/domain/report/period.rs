//! `report period`: what the station aired in a month, quarter, half year, nine months or year. Periods run from the
//! 15th to the 14th unless calendar months are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Datelike, Months, NaiveDate};

use super::gather::{Gathered, Line, StationAiring, Words, station_airings};
use super::paper::{
    Align, Block, Cell, Form, Letterhead, Paper, Table, Tally, by_device, day, ending, grouped, kind_words, listing,
    minutes, notices, played, provenance, seconds,
};
use crate::domain::airing::Outcome;
use crate::domain::config::{Language, Origin};
use crate::domain::playlist::{ClipKind, LOCAL};
use crate::domain::text::{clip_kind_words, outcome_word, reason_words};
use crate::domain::time::next_day;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodKind {
    /// One month.
    Month,
    /// Three months.
    Quarter,
    /// Six months.
    Half,
    /// Nine months.
    NineMonths,
    /// Twelve months.
    Year,
}

impl PeriodKind {
    /// Every kind, from the shortest.
    pub const ALL: [PeriodKind; 5] =
        [PeriodKind::Month, PeriodKind::Quarter, PeriodKind::Half, PeriodKind::NineMonths, PeriodKind::Year];

    /// As on the command line.
    pub fn key(self) -> &'static str {
        match self {
            PeriodKind::Month => "month",
            PeriodKind::Quarter => "quarter",
            PeriodKind::Half => "half",
            PeriodKind::NineMonths => "nine-months",
            PeriodKind::Year => "year",
        }
    }

    /// Its months.
    pub fn months(self) -> u32 {
        match self {
            PeriodKind::Month => 1,
            PeriodKind::Quarter => 3,
            PeriodKind::Half => 6,
            PeriodKind::NineMonths => 9,
            PeriodKind::Year => 12,
        }
    }
}

/// A report period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// How long.
    pub kind: PeriodKind,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
}

impl Period {
    /// The period that ends in a month, given by its first day: on its 14th, or with `calendar` on its last day. None
    /// at the end of the calendar.
    pub fn ending(kind: PeriodKind, month: NaiveDate, calendar: bool) -> Option<Period> {
        let first = month.with_day(1)?;
        let after = first.checked_add_months(Months::new(1))?;
        let (from, to) = if calendar {
            (after.checked_sub_months(Months::new(kind.months()))?, after.pred_opt()?)
        } else {
            let begin = first.with_day(15)?.checked_sub_months(Months::new(kind.months()))?;
            (begin, first.with_day(14)?)
        };
        Some(Period { kind, from, to })
    }

    /// `tháng 10 năm 2022`, where months carry the name that the period has in the administration.
    pub fn name(&self) -> String {
        let (month, year) = (self.to.month(), self.to.year());
        const ROMAN: [&str; 4] = ["I", "II", "III", "IV"];
        match self.kind {
            PeriodKind::Month => format!("tháng {month} năm {year}"),
            PeriodKind::Quarter if month % 3 == 0 => format!("quý {} năm {year}", ROMAN[month as usize / 3 - 1]),
            PeriodKind::Half if month == 6 => format!("6 tháng đầu năm {year}"),
            PeriodKind::Half if month == 12 => format!("6 tháng cuối năm {year}"),
            PeriodKind::NineMonths if month == 9 => format!("9 tháng đầu năm {year}"),
            PeriodKind::Year if month == 12 => format!("năm {year}"),
            kind => format!("{} tháng, đến tháng {month} năm {year}", kind.months()),
        }
    }
}

/// What a period came to.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodResult {
    /// Every airing in it.
    pub airings: Vec<StationAiring>,
    /// All together.
    pub tally: Tally,
    /// Sessions with an airing that counts.
    pub sessions: u64,
    /// Days with an airing that counts.
    pub days_aired: u64,
    /// By kind of clip, in the circular's order; relays have none.
    pub by_kind: Vec<(Option<ClipKind>, Tally)>,
    /// By source and its level.
    pub by_source: BTreeMap<(String, Option<&'static str>), Tally>,
    /// By day, every day of the period.
    pub by_day: BTreeMap<NaiveDate, (Tally, u64)>,
}

/// Sums a period up.
pub fn result(head: &Letterhead, period: &Period, lines: &[Arc<Line>]) -> PeriodResult {
    let inside = |l: &&Arc<Line>| (period.from..=period.to).contains(&head.date(l.planned_at));
    let ours: Vec<Arc<Line>> = lines.iter().filter(inside).cloned().collect();
    let airings = station_airings(&ours);
    let best = || airings.iter().map(|a| &*a.best);
    let mut by_day: BTreeMap<NaiveDate, (Tally, u64)> = BTreeMap::new();
    let mut date = period.from;
    while date <= period.to {
        by_day.insert(date, Default::default());
        date = next_day(date);
    }
    let mut seen: BTreeSet<(NaiveDate, &str)> = BTreeSet::new();
    let mut sessions: BTreeSet<&str> = BTreeSet::new();
    let mut by_source: BTreeMap<(String, Option<&'static str>), Tally> = BTreeMap::new();
    for line in best() {
        let date = head.date(line.planned_at);
        let entry = by_day.entry(date).or_default();
        entry.0.add(line);
        if line.outcome == Outcome::Aired
            && let Some(session) = &line.session
        {
            sessions.insert(session);
            entry.1 += u64::from(seen.insert((date, session)));
        }
        if line.clip_kind.is_some() {
            by_source.entry((line.source.to_string(), line.origin.map(Origin::key))).or_default().add(line);
        }
    }
    let kinds = ClipKind::ALL.into_iter().map(Some).chain([None]);
    let by_kind = kinds
        .filter(|kind| best().any(|l| l.clip_kind == *kind))
        .map(|kind| (kind, Tally::of(best().filter(|l| l.clip_kind == kind))))
        .collect();
    let sessions = sessions.len() as u64;
    PeriodResult {
        tally: Tally::of(best()),
        sessions,
        days_aired: by_day.values().filter(|(t, _)| t.aired > 0).count() as u64,
        by_kind,
        by_source,
        by_day,
        airings,
    }
}

const TALLY_COLUMNS: [(&str, u32, Align); 4] = [
    ("Số lượt phát đủ", 12, Align::Right),
    ("Thời lượng (phút)", 12, Align::Right),
    ("Phát dở, bị ngắt", 12, Align::Right),
    ("Không phát", 12, Align::Right),
];

fn tally_cells(tally: &Tally) -> [Cell; 4] {
    [Cell::Count(tally.aired), Cell::Minutes(tally.aired_ms), Cell::Count(tally.cut()), Cell::Count(tally.not_begun())]
}

fn kinds_table(result: &PeriodResult) -> Table {
    let columns: Vec<_> =
        [("TT", 5, Align::Right), ("Loại bài", 30, Align::Left)].into_iter().chain(TALLY_COLUMNS).collect();
    let mut table = Table::new("Bảng 1. Theo loại bài", "Theo loại bài", &columns);
    let clips = result.by_kind.iter().filter_map(|(kind, tally)| Some(((*kind)?, tally)));
    for (i, (kind, tally)) in clips.enumerate() {
        let mut cells = vec![Cell::Count(i as u64 + 1), Cell::text(clip_kind_words(kind, Language::Vi))];
        cells.extend(tally_cells(tally));
        table.row(cells);
    }
    let own = Tally::of(result.airings.iter().map(|a| &*a.best).filter(|l| l.clip_kind.is_some()));
    let mut cells = vec![Cell::Empty, Cell::text("Cộng")];
    cells.extend(tally_cells(&own));
    table.total(cells);
    if let Some((_, relays)) = result.by_kind.iter().find(|(kind, _)| kind.is_none()) {
        table.row(vec![
            Cell::Empty,
            Cell::text("Tiếp sóng đài cấp trên (tính riêng)"),
            Cell::Count(relays.relayed),
            Cell::Minutes(relays.relayed_ms),
            Cell::Count(relays.cut()),
            Cell::Count(relays.not_begun()),
        ]);
    }
    table
}

fn level_words(origin: Option<&str>) -> &'static str {
    match origin {
        Some("trung_uong") => "cấp trung ương",
        Some("tinh") => "cấp tỉnh",
        Some("huyen") => "cấp huyện",
        Some("xa") => "cấp xã",
        Some("thon") => "thôn",
        _ => "",
    }
}

/// A source in words: the station's own, or its id and level.
pub(super) fn source_words(source: &str, origin: Option<&str>) -> String {
    match (source, level_words(origin)) {
        (LOCAL, _) => "Đài cấp xã".into(),
        (source, "") => source.to_owned(),
        (source, level) => format!("{source} ({level})"),
    }
}

fn sources_table(result: &PeriodResult) -> Table {
    let columns: Vec<_> =
        [("TT", 5, Align::Right), ("Đơn vị gửi", 30, Align::Left)].into_iter().chain(TALLY_COLUMNS).collect();
    let mut table = Table::new("Bảng 2. Theo đơn vị gửi", "Theo đơn vị gửi", &columns);
    for (i, ((source, origin), tally)) in result.by_source.iter().enumerate() {
        let mut cells = vec![Cell::Count(i as u64 + 1), Cell::text(source_words(source, *origin))];
        cells.extend(tally_cells(tally));
        table.row(cells);
    }
    let mut all = Tally::default();
    result.airings.iter().map(|a| &*a.best).filter(|l| l.clip_kind.is_some()).for_each(|l| all.add(l));
    let mut cells = vec![Cell::Empty, Cell::text("Cộng")];
    cells.extend(tally_cells(&all));
    table.total(cells);
    table
}

fn days_table(result: &PeriodResult) -> Table {
    let columns: Vec<_> = [("Ngày", 16, Align::Middle), ("Số buổi phát", 12, Align::Right)]
        .into_iter()
        .chain(TALLY_COLUMNS)
        .chain([("Tiếp sóng (phút)", 12, Align::Right)])
        .collect();
    let mut table = Table::new("Bảng 4. Theo ngày", "Theo ngày", &columns);
    for (date, (tally, sessions)) in &result.by_day {
        let mut cells = vec![Cell::Date(*date), Cell::Count(*sessions)];
        cells.extend(tally_cells(tally));
        cells.push(Cell::Minutes(tally.relayed_ms));
        table.row(cells);
    }
    let mut cells = vec![Cell::text("Cộng"), Cell::Count(result.by_day.values().map(|(_, s)| s).sum())];
    cells.extend(tally_cells(&result.tally));
    cells.push(Cell::Minutes(result.tally.relayed_ms));
    table.total(cells);
    table
}

fn reasons_table(result: &PeriodResult) -> Option<Table> {
    let mut counts: BTreeMap<_, (u64, i64)> = BTreeMap::new();
    for line in result.airings.iter().map(|a| &*a.best) {
        if !matches!(line.outcome, Outcome::Aired | Outcome::Relayed) {
            let entry = counts.entry((line.outcome, line.reason)).or_default();
            entry.0 += 1;
            entry.1 += line.played_ms;
        }
    }
    if counts.is_empty() {
        return None;
    }
    let columns = [
        ("Kết quả", 24, Align::Left),
        ("Lý do", 30, Align::Left),
        ("Số lượt", 10, Align::Right),
        ("Đã phát ít nhất (giây)", 16, Align::Right),
    ];
    let mut table = Table::new("Bảng 3. Các lượt phát không trọn vẹn", "Không trọn vẹn", &columns);
    for ((outcome, reason), (n, ms)) in counts {
        table.row(vec![
            Cell::text(outcome_word(outcome, Language::Vi)),
            Cell::text(reason.map_or("", |r| reason_words(r, Language::Vi))),
            Cell::Count(n),
            if outcome.begun() { Cell::Seconds(ms) } else { Cell::Empty },
        ]);
    }
    Some(table)
}

/// Who receives it, who signs.
pub(super) fn signature() -> Block {
    Block::Signature {
        receivers: vec!["Như trên;".into(), BLANK_LINE.into(), "Lưu: VT.".into()],
        signer: vec!["TM. ỦY BAN NHÂN DÂN".into(), "(chức vụ, chữ ký, dấu, họ và tên)".into()],
    }
}

const BLANK_LINE: &str = "……………………;";

/// Every box's rows, one by one.
pub(super) fn device_listing(head: &Letterhead, sheet: &str, lines: &[Arc<Line>]) -> Table {
    let columns = [
        ("TT", 5, Align::Right),
        ("Thiết bị", 12, Align::Left),
        ("Ngày", 12, Align::Middle),
        ("Giờ theo lịch", 10, Align::Middle),
        ("Tiêu đề", 30, Align::Left),
        ("Loại bài", 12, Align::Left),
        ("Đã phát (giây)", 10, Align::Right),
        ("Kết quả, lý do", 20, Align::Left),
        ("Số dòng nhật ký", 10, Align::Right),
    ];
    let mut sorted: Vec<&Line> = lines.iter().map(|l| &**l).collect();
    let mut words = Words::default();
    sorted.sort_by_key(|l| (l.device_id.clone(), l.planned_at, l.seq));
    let mut table = Table::new("", sheet, &columns);
    table.list = true;
    for (i, line) in sorted.into_iter().enumerate() {
        table.row(vec![
            Cell::Count(i as u64 + 1),
            Cell::text(line.device_id.clone()),
            Cell::Date(head.date(line.planned_at)),
            Cell::Time(head.local(line.planned_at)),
            Cell::text(line.title.clone()),
            Cell::text(words.keep(&kind_words(line))),
            played(line),
            Cell::text(words.keep(&ending(line))),
            Cell::Count(line.seq),
        ]);
    }
    table
}

/// The report. With `annex` it lists every airing at the end.
pub fn paper(head: Letterhead, gathered: &Gathered, period: &Period, annex: bool) -> Paper {
    let result = result(&head, period, &gathered.lines);
    let mut blocks = notices(&head, gathered);
    let (from, to) = (day(period.from), day(period.to));
    blocks.push(Block::Section("1. Công tác chỉ đạo, tổ chức thực hiện".into()));
    if head.date(head.made_at) <= period.to {
        blocks.push(Block::Text(format!("Kỳ báo cáo kéo dài đến hết ngày {to}; số liệu tính đến {}.", head.made())));
    }
    blocks.push(Block::Blank("Văn bản chỉ đạo, phân công, tổ chức thực hiện".into()));
    blocks.push(Block::Section("2. Kết quả phát thanh".into()));
    let tally = &result.tally;
    let mut text = format!(
        "Từ ngày {from} đến hết ngày {to}, {} đã phát đủ {} lượt trong {} buổi phát của {} ngày, tổng thời lượng {} phút ({} giây).",
        head.station,
        grouped(tally.aired),
        grouped(result.sessions),
        grouped(result.days_aired),
        minutes(tally.aired_ms),
        seconds(tally.aired_ms)
    );
    if tally.relayed > 0 {
        text.push_str(&format!(
            " Tiếp sóng đài cấp trên {} lượt, {} phút.",
            grouped(tally.relayed),
            minutes(tally.relayed_ms)
        ));
    }
    blocks.push(Block::Text(text));
    blocks.push(Block::Table(kinds_table(&result)));
    blocks.push(Block::Table(sources_table(&result)));
    let reasons = reasons_table(&result);
    let has_reasons = reasons.is_some();
    blocks.extend(reasons.map(Block::Table));
    let mut days = days_table(&result);
    if !has_reasons {
        days.name = "Bảng 3. Theo ngày".into();
    }
    blocks.push(Block::Table(days));
    let all: Vec<Arc<Line>> = result.airings.iter().flat_map(|a| a.all.iter().cloned()).collect();
    let devices = by_device(gathered, &all);
    let several = devices.is_some();
    blocks.extend(devices.map(|table| {
        Block::Table(Table {
            name: format!("Bảng {}. Theo từng thiết bị", if has_reasons { 5 } else { 4 }), ..table
        })
    }));
    blocks.push(Block::Section("3. Khó khăn, vướng mắc".into()));
    blocks.push(Block::Blank("Khó khăn, vướng mắc và nguyên nhân".into()));
    blocks.push(Block::Section("4. Đề xuất, kiến nghị".into()));
    blocks.push(Block::Blank("Đề xuất, kiến nghị".into()));
    blocks.push(signature());
    if annex {
        blocks.push(Block::Annex("Phụ lục I".into(), "CHI TIẾT CÁC LƯỢT PHÁT TRONG KỲ".into()));
        blocks.push(Block::Table(listing(&head, String::new(), "Phụ lục I", &result.airings, true)));
    }
    let provenance = provenance(&head, gathered, result.airings.len());
    if annex {
        blocks.extend(provenance);
        if several {
            blocks.push(Block::Annex("Phụ lục II".into(), "CÁC LƯỢT PHÁT CỦA TỪNG THIẾT BỊ".into()));
            blocks.push(Block::Table(device_listing(&head, "Phụ lục II", &all)));
        }
    } else {
        let before = blocks.len() - 5;
        blocks.splice(before..before, provenance);
    }
    Paper {
        form: Form::Report,
        kind: "BÁO CÁO".into(),
        subject: format!("Kết quả hoạt động phát thanh {}\n(từ ngày {from} đến hết ngày {to})", period.name()),
        head,
        blocks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn periods_run_from_the_15th_to_the_14th_unless_asked_otherwise() {
        let of = |kind, month: &str, calendar| {
            let period = Period::ending(kind, date(&format!("{month}-01")), calendar).unwrap();
            (period.from, period.to, period.name())
        };
        let is = |from: &str, to: &str, name: &str| (date(from), date(to), name.to_owned());
        use PeriodKind::*;
        assert_eq!(of(Month, "2022-10", false), is("2022-09-15", "2022-10-14", "tháng 10 năm 2022"));
        assert_eq!(of(Month, "2022-01", false), is("2021-12-15", "2022-01-14", "tháng 1 năm 2022"));
        assert_eq!(of(Month, "2024-02", true), is("2024-02-01", "2024-02-29", "tháng 2 năm 2024"));
        assert_eq!(of(Quarter, "2022-09", false), is("2022-06-15", "2022-09-14", "quý III năm 2022"));
        assert_eq!(of(Half, "2022-06", false), is("2021-12-15", "2022-06-14", "6 tháng đầu năm 2022"));
        assert_eq!(of(NineMonths, "2022-09", false), is("2021-12-15", "2022-09-14", "9 tháng đầu năm 2022"));
        assert_eq!(of(Year, "2022-12", false), is("2021-12-15", "2022-12-14", "năm 2022"));
        assert_eq!(of(Year, "2022-12", true), is("2022-01-01", "2022-12-31", "năm 2022"));
        assert_eq!(of(Quarter, "2022-10", true), is("2022-08-01", "2022-10-31", "3 tháng, đến tháng 10 năm 2022"));
    }
}
