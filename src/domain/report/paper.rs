//! A paper for people: what the reports are made of before anybody decides whether it becomes a page, a Word file or
//! a workbook. Papers are Vietnamese whatever language the program speaks: they are forms of the administration.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};

use super::gather::{Gathered, Line, LogFacts, Proof, StationAiring, Trouble, Words};
use crate::domain::airing::Outcome;
use crate::domain::config::Language;
use crate::domain::text::{clip_kind_words, outcome_word, reason_words};
use crate::domain::time::{Wall, Zone};

/// What goes on every paper of a station.
#[derive(Clone, Debug)]
pub struct Letterhead {
    /// The issuing body, line by line, as `ỦY BAN NHÂN DÂN` and `XÃ BÌNH MINH`.
    pub body: Vec<String>,
    /// The same inside a sentence, as `Ủy ban nhân dân xã Bình Minh`.
    pub issuer: String,
    /// Where it is signed, as `Bình Minh`; empty: a blank to fill in.
    pub place: String,
    /// The station's name.
    pub station: String,
    /// The station's zone.
    pub zone: Zone,
    /// When the paper is made.
    pub made_at: Wall,
    /// Rows of every output count, and the paper says BẢN THỬ on every page.
    pub trial: bool,
}

impl Letterhead {
    /// The issuing body and place by the station's name: `Đài Truyền thanh xã Bình Minh` belongs to the People's
    /// Committee of that commune. A name that does not tell leaves blanks.
    pub fn of(station: &str, zone: Zone, made_at: Wall, trial: bool) -> Letterhead {
        let mut head = Letterhead {
            body: vec!["ỦY BAN NHÂN DÂN".into(), BLANK.into()],
            issuer: format!("Ủy ban nhân dân {BLANK}"),
            place: String::new(),
            station: station.to_owned(),
            zone,
            made_at,
            trial,
        };
        let levels = ["xã ", "phường ", "thị trấn ", "đặc khu "];
        let found = levels.iter().filter_map(|level| {
            let at = station.to_lowercase().find(level)?;
            // Lower case may have other lengths than the name as written: only a place that fits is taken.
            station.get(at..).filter(|name| name.to_lowercase().starts_with(level)).map(|name| (level, name))
        });
        if let Some((level, name)) = found.min_by_key(|(_, name)| std::cmp::Reverse(name.len())) {
            head.body[1] = name.to_uppercase();
            let place = name.get(level.len()..).unwrap_or_default();
            head.place = place.split('(').next().unwrap_or_default().trim().to_owned();
            head.issuer = format!("Ủy ban nhân dân {level}{}", head.place);
        }
        head
    }

    pub(super) fn local(&self, at: Wall) -> NaiveDateTime {
        self.zone.local(at)
    }

    pub(super) fn date(&self, at: Wall) -> NaiveDate {
        self.zone.date(at)
    }

    /// `08:00:00 ngày 01/11/2022`
    pub fn made(&self) -> String {
        moment(self.local(self.made_at))
    }
}

/// A place to write by hand.
pub(super) const BLANK: &str = "……………………";

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Dates, times and ids.
    Middle,
    /// Numbers.
    Right,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its heading.
    pub head: String,
    /// Its share of the table's width.
    pub width: u32,
    /// How it is set.
    pub align: Align,
}

/// A cell, typed, so that a workbook gets real numbers and times.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(Arc<str>),
    /// A number of things.
    Count(u64),
    /// Milliseconds, shown as seconds.
    Seconds(i64),
    /// Milliseconds, shown as minutes.
    Minutes(i64),
    /// Part of a whole, shown as per cent.
    Share(u64, u64),
    /// A date.
    Date(NaiveDate),
    /// Date and time, of which the time is shown.
    Time(NaiveDateTime),
    /// Nothing.
    Empty,
}

impl Cell {
    /// Words.
    pub(super) fn text(words: impl Into<Arc<str>>) -> Cell {
        Cell::Text(words.into())
    }

    /// As people read it.
    pub fn show(&self) -> String {
        match self {
            Cell::Text(text) => text.to_string(),
            Cell::Count(n) => grouped(*n),
            Cell::Seconds(ms) => seconds(*ms),
            Cell::Minutes(ms) => minutes(*ms),
            Cell::Share(part, whole) => share(*part, *whole),
            Cell::Date(date) => day(*date),
            Cell::Time(at) => at.format("%H:%M:%S").to_string(),
            Cell::Empty => String::new(),
        }
    }
}

/// How a row of a table looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As most.
    Plain,
    /// A sum.
    Total,
    /// One cell over the whole width.
    Across,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// One for each column, or one alone when it goes across.
    pub cells: Vec<Cell>,
    /// How it looks.
    pub look: Look,
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name: over the table, and of the workbook's sheet.
    pub name: String,
    /// A name of at most 31 characters for the sheet.
    pub sheet: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<TableRow>,
    /// Whether the sheet is worth filters: a list, not a sum.
    pub list: bool,
}

impl Table {
    pub(super) fn new(name: impl Into<String>, sheet: impl Into<String>, columns: &[(&str, u32, Align)]) -> Table {
        let columns = columns.iter().map(|(head, width, align)| {
            let (width, align) = (*width, *align);
            Column { head: (*head).to_owned(), width, align }
        });
        Table { name: name.into(), sheet: sheet.into(), columns: columns.collect(), rows: Vec::new(), list: false }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(TableRow { cells, look: Look::Plain });
    }

    pub(super) fn total(&mut self, cells: Vec<Cell>) {
        self.rows.push(TableRow { cells, look: Look::Total });
    }

    pub(super) fn across(&mut self, text: impl Into<Arc<str>>) {
        self.rows.push(TableRow { cells: vec![Cell::text(text)], look: Look::Across });
    }
}

/// Airings a day against the quota.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Over it.
    pub caption: String,
    /// What is counted, as `Số lượt phát đủ`.
    pub counted: &'static str,
    /// Each day and its airings.
    pub days: Vec<(NaiveDate, u64)>,
    /// What each day should reach.
    pub quota: Option<u64>,
}

impl Chart {
    /// The highest of its figures, the quota among them.
    pub fn most(&self) -> u64 {
        self.days.iter().map(|(_, n)| *n).chain(self.quota).max().unwrap_or(0)
    }

    /// `Chỉ tiêu: 2 lượt/ngày`
    pub fn quota_words(&self, quota: u64) -> String {
        format!("Chỉ tiêu: {} lượt/ngày", grouped(quota))
    }
}

/// A piece of a paper.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// `2. Kết quả phát thanh`
    Section(String),
    /// A paragraph.
    Text(String),
    /// Lines for typing; the words say what.
    Blank(String),
    /// What a reader must not overlook.
    Notice(String),
    /// A table.
    Table(Table),
    /// A chart.
    Chart(Chart),
    /// An annex on a page of its own: `Phụ lục I` and its title.
    Annex(String, String),
    /// Receivers on the left, the signer on the right.
    Signature {
        /// `Nơi nhận`
        receivers: Vec<String>,
        /// Over the place for the signature.
        signer: Vec<String>,
    },
    /// Places for several signatures side by side.
    Signatures(Vec<(String, String)>),
}

/// What kind of paper it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A report with number, place and date (NĐ 30/2020/NĐ-CP).
    Report,
    /// A book that is kept.
    Book,
}

/// A paper.
#[derive(Clone, Debug)]
pub struct Paper {
    /// Number, place and date or not.
    pub form: Form,
    /// What stands on it as on all papers of the station.
    pub head: Letterhead,
    /// `BÁO CÁO`
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The pieces.
    pub blocks: Vec<Block>,
}

impl Paper {
    /// Every chart that has a day to show, in order.
    pub fn charts(&self) -> impl Iterator<Item = &Chart> {
        self.blocks.iter().filter_map(|b| match b {
            Block::Chart(chart) if !chart.days.is_empty() => Some(chart),
            _ => None,
        })
    }

    /// Every table, in order.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.blocks.iter().filter_map(|b| match b {
            Block::Table(table) => Some(table),
            _ => None,
        })
    }

    /// What it says of itself that must not be overlooked.
    pub fn notices(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter_map(|b| match b {
            Block::Notice(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// `Số:        /BC-UBND`
    pub fn number(&self) -> &'static str {
        "Số:\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}/BC-UBND"
    }

    /// `Bình Minh, ngày      tháng      năm 20  `: the clerk dates it.
    pub fn dateline(&self) -> String {
        let place = if self.head.place.is_empty() { BLANK } else { &self.head.place };
        let gap = "\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}";
        format!("{place}, ngày{gap}tháng{gap}năm{gap}")
    }
}

/// What a trial is marked with.
pub const TRIAL_MARK: &str = "BẢN THỬ";
/// The country's name on every paper.
pub const COUNTRY: &str = "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM";
/// Under the country's name.
pub const MOTTO: &str = "Độc lập - Tự do - Hạnh phúc";

/// `5.940`
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('.');
        }
        out.push(c);
    }
    out
}

/// Hundredths, without noughts at the end.
fn hundredths(n: i64) -> String {
    let (sign, n) = (if n < 0 { "-" } else { "" }, n.unsigned_abs());
    let mut out = format!("{sign}{}", grouped(n / 100));
    if n % 100 != 0 {
        out.push_str(format!(",{:02}", n % 100).trim_end_matches('0'));
    }
    out
}

/// Seconds, to the hundredth.
pub(super) fn seconds(ms: i64) -> String {
    hundredths((ms + 5).div_euclid(10))
}

/// Minutes, to the hundredth; only what is shown is rounded.
pub(super) fn minutes(ms: i64) -> String {
    hundredths((ms + 300).div_euclid(600))
}

pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".into();
    }
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    format!("{} %", hundredths(i64::try_from(tenths * 10).unwrap_or(i64::MAX)))
}

/// `05/10/2022`
pub(super) fn day(date: NaiveDate) -> String {
    date.format("%d/%m/%Y").to_string()
}

/// `14:05:00 ngày 28/09/2022`
pub(super) fn moment(at: NaiveDateTime) -> String {
    at.format("%H:%M:%S ngày %d/%m/%Y").to_string()
}

/// `thứ Hai`; `Chủ nhật`
pub(super) fn weekday(date: NaiveDate) -> &'static str {
    use chrono::Datelike;
    const NAMES: [&str; 7] = ["thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật"];
    NAMES[date.weekday().num_days_from_monday() as usize]
}

/// `Thứ Hai`: at the beginning of a line.
pub(super) fn weekday_first(date: NaiveDate) -> String {
    weekday(date).replacen("thứ", "Thứ", 1)
}

/// Outcome and reason in words, as `Phát dở (do sự cố): Thiết bị tắt nguồn`.
pub(super) fn ending(line: &Line) -> String {
    let outcome = outcome_word(line.outcome, Language::Vi);
    match line.reason {
        Some(reason) => format!("{outcome}: {}", reason_words(reason, Language::Vi)),
        None => outcome.to_owned(),
    }
}

/// What sounded, in seconds; after a power cut only a lower bound is known.
pub(super) fn played(line: &Line) -> Cell {
    match line.outcome {
        o if !o.begun() => Cell::Empty,
        _ => Cell::Seconds(line.played_ms),
    }
}

pub(super) fn kind_words(line: &Line) -> String {
    line.clip_kind.map_or("Tiếp sóng", |k| clip_kind_words(k, Language::Vi)).to_owned()
}

/// Which boxes: `bm-01, bm-02 (Không phát được: Thiết bị tắt nguồn)`.
pub(super) fn boxes(airing: &StationAiring) -> String {
    let said = airing.all.iter().map(|line| {
        if line.outcome == airing.best.outcome && line.reason == airing.best.reason {
            line.device_id.to_string()
        } else {
            format!("{} ({})", line.device_id, ending(line))
        }
    });
    said.collect::<Vec<_>>().join(", ")
}

/// Airings by outcome: how many and how long they sounded, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Aired whole.
    pub aired: u64,
    /// How long those sounded, milliseconds.
    pub aired_ms: i64,
    /// Partial, ended by a fault.
    pub partial: u64,
    /// Interrupted, ended by a rule or a person.
    pub interrupted: u64,
    /// How long partial and interrupted ones sounded, milliseconds; a lower bound.
    pub cut_ms: i64,
    /// Missed.
    pub missed: u64,
    /// Blocked.
    pub blocked: u64,
    /// Failed.
    pub failed: u64,
    /// Relay windows kept to their end.
    pub relayed: u64,
    /// How long those lasted, milliseconds.
    pub relayed_ms: i64,
}

impl Tally {
    /// The tally of rows, as each stands for one airing.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Tally {
        let mut tally = Tally::default();
        lines.into_iter().for_each(|l| tally.add(l));
        tally
    }

    /// Counts one more.
    pub fn add(&mut self, line: &Line) {
        match line.outcome {
            Outcome::Aired => {
                self.aired += 1;
                self.aired_ms += line.played_ms;
            }
            Outcome::Partial => {
                self.partial += 1;
                self.cut_ms += line.played_ms;
            }
            Outcome::Interrupted => {
                self.interrupted += 1;
                self.cut_ms += line.played_ms;
            }
            Outcome::Missed => self.missed += 1,
            Outcome::Blocked => self.blocked += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Relayed => {
                self.relayed += 1;
                self.relayed_ms += line.played_ms;
            }
        }
    }

    /// Begun and cut short.
    pub fn cut(&self) -> u64 {
        self.partial + self.interrupted
    }

    /// Not begun.
    pub fn not_begun(&self) -> u64 {
        self.missed + self.blocked + self.failed
    }
}

/// Why airings were not whole, with how many: `1 lượt phát dở (thiết bị tắt nguồn)`.
pub(super) fn reasons<'a>(lines: impl IntoIterator<Item = &'a Line>) -> String {
    let mut counts: std::collections::BTreeMap<_, u64> = std::collections::BTreeMap::new();
    for line in lines.into_iter().filter(|l| !matches!(l.outcome, Outcome::Aired | Outcome::Relayed)) {
        *counts.entry((line.outcome, line.reason)).or_default() += 1;
    }
    let said = counts.into_iter().map(|((outcome, reason), n)| {
        let lower = |text: &str| {
            let mut chars = text.chars();
            chars.next().map_or(String::new(), |c| c.to_lowercase().collect::<String>() + chars.as_str())
        };
        let outcome = lower(outcome_word(outcome, Language::Vi));
        let reason = reason.map_or(String::new(), |r| format!(": {}", lower(reason_words(r, Language::Vi))));
        format!("{} lượt {outcome}{reason}", grouped(n))
    });
    said.collect::<Vec<_>>().join("; ")
}

/// The rows as an annex lists them; with several boxes which of them aired it.
pub(super) fn listing(
    head: &Letterhead,
    name: String,
    sheet: &str,
    airings: &[StationAiring],
    with_kind: bool,
) -> Table {
    use Align::{Left, Middle, Right};
    let several = airings.iter().any(|a| a.all.len() > 1);
    let what = if with_kind { "Loại bài" } else { "Chủ đề" };
    let mut columns = vec![
        ("TT", 6, Right),
        ("Ngày", 12, Middle),
        ("Giờ theo lịch", 10, Middle),
        ("Giờ bắt đầu", 10, Middle),
        ("Giờ kết thúc", 10, Middle),
        ("Tiêu đề", 23, Left),
        (what, 9, Left),
        ("Thời lượng (giây)", 9, Right),
        ("Đã phát (giây)", 8, Right),
        ("Kết quả, lý do", 16, Left),
    ];
    if several {
        // One column more: the words give way, numbers and times cannot.
        columns.push(("Thiết bị", 12, Left));
        let wider = [(0, 7), (1, 14), (2, 12), (3, 12), (4, 12), (7, 11), (8, 10)];
        wider.into_iter().for_each(|(column, width)| columns[column].1 = width);
    }
    let mut table = Table::new(name, sheet, &columns);
    table.list = true;
    let mut words = Words::default();
    for (i, airing) in airings.iter().enumerate() {
        let line = &airing.best;
        let time = |t: Option<Wall>| t.map_or(Cell::Empty, |t| Cell::Time(head.local(t)));
        let group = if with_kind {
            kind_words(line)
        } else {
            line.topic_id.as_deref().map_or("", |t| t.split_once('/').map_or(t, |(_, id)| id)).to_owned()
        };
        let mut cells = vec![
            Cell::Count(i as u64 + 1),
            Cell::Date(head.date(line.planned_at)),
            time(Some(line.planned_at)),
            time(line.started_at),
            time(line.ended_at),
            Cell::text(line.title.clone()),
            Cell::text(words.keep(&group)),
            line.clip_ms.map_or(Cell::Empty, Cell::Seconds),
            played(line),
            Cell::text(words.keep(&ending(line))),
        ];
        if several {
            cells.push(Cell::text(words.keep(&boxes(airing))));
        }
        table.row(cells);
    }
    table
}

/// Each box by itself, beside the station's totals.
pub(super) fn by_device(gathered: &Gathered, lines: &[Arc<Line>]) -> Option<Table> {
    let mut devices: Vec<&str> = lines.iter().map(|l| &*l.device_id).collect();
    devices.extend(gathered.logs.iter().map(|l| &*l.device_id));
    devices.sort_unstable();
    devices.dedup();
    if devices.len() < 2 {
        return None;
    }
    use Align::{Left, Right};
    let columns = [
        ("Thiết bị", 20, Left),
        ("Số lượt phát đủ", 12, Right),
        ("Thời lượng (phút)", 12, Right),
        ("Phát dở, bị ngắt", 12, Right),
        ("Không phát", 12, Right),
    ];
    let mut table = Table::new("Theo từng thiết bị", "Theo thiết bị", &columns);
    for device in devices {
        let tally = Tally::of(lines.iter().map(|l| &**l).filter(|l| &*l.device_id == device));
        table.row(vec![
            Cell::text(device),
            Cell::Count(tally.aired),
            Cell::Minutes(tally.aired_ms),
            Cell::Count(tally.cut()),
            Cell::Count(tally.not_begun()),
        ]);
    }
    Some(table)
}

/// What a reader must know of where the rows come from.
pub(super) fn notices(head: &Letterhead, gathered: &Gathered) -> Vec<Block> {
    let mut out = Vec::new();
    let mut say = |text: String| out.push(Block::Notice(text));
    if head.trial {
        say("BẢN THỬ: báo cáo này tính cả các lượt chạy thử không ra loa; không dùng làm báo cáo chính thức.".into());
    }
    for trouble in &gathered.troubles {
        say(trouble_words(head.zone, trouble));
    }
    out
}

/// A trouble as people read it.
fn trouble_words(zone: Zone, trouble: &Trouble) -> String {
    let at = |t: Wall| moment(zone.local(t));
    match trouble {
        Trouble::Conflict { device_id, seq } => format!(
            "Số liệu mâu thuẫn: dòng {seq} của thiết bị {device_id} có hai nội dung khác nhau; không tính dòng này."
        ),
        Trouble::Broken { file, findings, first } => {
            let what = if file.is_empty() { "Nhật ký".to_owned() } else { format!("Tệp {file}") };
            let first = first.map_or(String::new(), |n| format!(", chỗ đầu tiên là dòng {n}"));
            format!(
                "{what} không nguyên vẹn: {findings} chỗ sai{first}; dòng sai không được tính. Kiểm tra: loaxa verify {file}"
            )
        }
        Trouble::Hole { device_id, from, to } => {
            format!("Thiếu số liệu: nhật ký của thiết bị {device_id} thiếu các dòng từ {from} đến {to}.")
        }
        Trouble::Missing { device_id } => format!("Thiếu số liệu: chưa có nhật ký của thiết bị {device_id}."),
        Trouble::Short { device_id, from, to } => format!(
            "Thiếu số liệu: nhật ký của thiết bị {device_id} không có dòng nào từ {} đến {}.",
            at(*from),
            at(*to)
        ),
        Trouble::OtherStation { file, station_id } => {
            format!("Tệp {file} có dòng của đài khác ({station_id}); các dòng ấy không được tính.")
        }
    }
}

/// Where the numbers come from: rows, heads, time of making.
pub(super) fn provenance(head: &Letterhead, gathered: &Gathered, listed: usize) -> Vec<Block> {
    let mut out = vec![Block::Text(format!(
        "Số lượt phát được liệt kê: {}. Lập lúc {} từ nhật ký phát thanh của {}.",
        grouped(listed as u64),
        head.made(),
        head.station
    ))];
    for log in &gathered.logs {
        out.push(Block::Text(log_words(head, log)));
    }
    if gathered.dropped > 0 {
        let n = grouped(gathered.dropped);
        out.push(Block::Text(format!("{n} dòng có trong nhiều tệp, giống nhau hoàn toàn, chỉ tính một lần.")));
    }
    if gathered.not_counted > 0 {
        let n = grouped(gathered.not_counted);
        out.push(Block::Text(format!("{n} lượt chạy thử không ra loa không được tính.")));
    }
    out.push(Block::Text(crate::domain::text::Text::AiredMeans {}.say(Language::Vi)));
    out
}

fn log_words(head: &Letterhead, log: &LogFacts) -> String {
    let numbers = log.numbers.map_or(String::new(), |(a, b)| format!(", số {a} đến {b}"));
    let proof = match log.proof {
        Proof::Whole => "đủ dòng, không bị sửa",
        Proof::EachRow => "từng dòng không bị sửa",
        Proof::Broken(_) => "KHÔNG nguyên vẹn",
    };
    let reach = log
        .written
        .map_or(String::new(), |(a, b)| format!(", ghi từ {} đến {}", moment(head.local(a)), moment(head.local(b))));
    let end = log.head.as_deref().unwrap_or("-");
    format!(
        "Thiết bị {}, nhật ký {}: {} dòng{numbers}{reach}; {proof}; mã cuối chuỗi {end}.",
        log.device_id,
        log.log_id,
        grouped(log.rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_viet_nam() {
        assert_eq!(grouped(5_940), "5.940");
        assert_eq!(grouped(1_234_567), "1.234.567");
        assert_eq!(minutes(5_685_000), "94,75");
        assert_eq!(minutes(5_940_000), "99");
        assert_eq!(seconds(85_000), "85");
        assert_eq!(share(44, 20), "220 %");
        assert_eq!(share(1, 3), "33,3 %");
        assert_eq!(share(1, 0), "-");
    }

    #[test]
    fn the_body_comes_from_the_name() {
        let of = |name: &str| {
            let head = Letterhead::of(name, Zone::default(), Wall(0), false);
            (head.body[1].clone(), head.place)
        };
        assert_eq!(of("Đài Truyền thanh xã Bình Minh (ví dụ)"), ("XÃ BÌNH MINH (VÍ DỤ)".into(), "Bình Minh".into()));
        assert_eq!(of("Đài Truyền thanh Phường Hồng Hà"), ("PHƯỜNG HỒNG HÀ".into(), "Hồng Hà".into()));
        assert_eq!(of("Loa"), (BLANK.into(), String::new()));
    }

    #[test]
    fn thu_is_written_large_only_at_the_start_of_a_line() {
        let monday = NaiveDate::from_ymd_opt(2022, 10, 3).unwrap();
        assert_eq!((weekday(monday), &*weekday_first(monday)), ("thứ Hai", "Thứ Hai"));
    }
}
