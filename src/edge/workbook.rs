//! Workbooks for Excel: the airing log, streamed with memory that does not grow with its rows, and reports. Dates and
//! times are real ones, text is never a formula.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chrono::{NaiveDateTime, NaiveTime, Timelike};
use rust_xlsxwriter::{
    Chart, ChartFormat, ChartLegendPosition, ChartLine, ChartLineDashType, ChartSolidFill, ChartType, Color,
    DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use crate::domain::airing::Outcome;
use crate::domain::chain::Row;
use crate::domain::report::paper::{self, Align, Block, COUNTRY, Cell, Look, MOTTO, Paper, TRIAL_MARK, Table};
use crate::domain::report::{Totals, cells, headings};
use crate::domain::text::{Text, outcome_word};
use crate::domain::time::Wall;

/// Rows of airings that one sheet holds under its headings: Excel's limit.
pub const MOST_ROWS: u32 = 1_048_575;
/// Longest text in a cell: Excel's limit is 32,767 UTF-16 units.
const LONGEST_TEXT: usize = 32_000;

/// Why a workbook was not made.
#[derive(Debug, thiserror::Error)]
pub enum WorkbookError {
    /// More rows than a sheet holds.
    #[error("more than {MOST_ROWS} rows")]
    TooManyRows,
    /// The disk, or whoever reads.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The writer of workbooks.
    #[error("{0}")]
    Writer(XlsxError),
}

impl From<XlsxError> for WorkbookError {
    fn from(error: XlsxError) -> WorkbookError {
        match error {
            XlsxError::IoError(error) => WorkbookError::Io(error),
            other => WorkbookError::Writer(other),
        }
    }
}

/// How cells look.
struct Looks {
    head: Format,
    text: Format,
    number: Format,
    count: Format,
    date: Format,
    time: Format,
    share: Format,
    bold: Format,
    across: Format,
}

impl Looks {
    fn new() -> Looks {
        let cell = || Format::new().set_border(FormatBorder::Thin).set_align(FormatAlign::Top);
        Looks {
            head: cell()
                .set_bold()
                .set_text_wrap()
                .set_align(FormatAlign::Center)
                .set_align(FormatAlign::VerticalCenter)
                .set_background_color(Color::RGB(0x00E7_E6E6)),
            text: cell().set_text_wrap(),
            number: cell(),
            count: cell().set_num_format("#,##0"),
            date: cell().set_num_format("dd/mm/yyyy").set_align(FormatAlign::Center),
            time: cell().set_num_format("hh:mm:ss").set_align(FormatAlign::Center),
            share: cell().set_num_format("0.0%"),
            bold: Format::new().set_bold(),
            across: cell().set_bold().set_italic().set_background_color(Color::RGB(0x00F2_F2F2)),
        }
    }
}

/// A moment as Excel counts: days since 1900, in local time. Excel has no zones.
fn excel(at: NaiveDateTime) -> Result<ExcelDateTime, XlsxError> {
    use chrono::Datelike;
    let date = at.date();
    let year = u16::try_from(date.year()).unwrap_or(1900);
    let day = u8::try_from(date.day()).unwrap_or(1);
    let month = u8::try_from(date.month()).unwrap_or(1);
    ExcelDateTime::from_ymd(year, month, day)?.and_hms_milli(
        u16::try_from(at.hour()).unwrap_or(0),
        u8::try_from(at.minute()).unwrap_or(0),
        u8::try_from(at.second()).unwrap_or(0),
        u16::try_from(at.nanosecond() / 1_000_000 % 1000).unwrap_or(0),
    )
}

fn fitting(text: &str) -> &str {
    if text.len() <= LONGEST_TEXT {
        return text;
    }
    let end = (0..=LONGEST_TEXT).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    &text[..end]
}

/// Height of a row whose texts are wrapped in columns of these widths (in characters), in points. Not every program
/// works it out by itself.
fn height<'a>(texts: impl IntoIterator<Item = (&'a str, f64)>) -> f64 {
    let lines = texts.into_iter().map(|(text, width)| {
        let fits = (width - 1.0).max(1.0);
        text.split('\n').map(|line| (line.chars().count() as f64 / fits).ceil().max(1.0)).sum::<f64>()
    });
    15.0 * lines.fold(1.0, f64::max).min(25.0) + 1.0
}

fn write_text(sheet: &mut Worksheet, row: u32, column: u16, text: &str, format: &Format) -> Result<(), XlsxError> {
    if text.is_empty() {
        sheet.write_blank(row, column, format)?;
    } else {
        sheet.write_string_with_format(row, column, fitting(text), format)?;
    }
    Ok(())
}

fn begin(made: Wall, title: &str, author: &str) -> Result<Workbook, XlsxError> {
    let mut book = Workbook::new();
    // The one thing that differs between two exports of the same rows.
    let properties =
        DocProperties::new().set_title(title).set_author(author).set_creation_datetime(&excel(made.utc().naive_utc())?);
    book.set_properties(&properties);
    Ok(book)
}

/// The airing log as a workbook, filled row by row.
pub struct LogBook {
    book: Workbook,
    looks: Looks,
    format: crate::domain::report::Format,
    totals: Totals,
    outcomes: BTreeMap<&'static str, (Outcome, u64, i64)>,
    next: u32,
    day: Option<(chrono::NaiveDate, String)>,
}

/// Widths of the log's columns, in characters.
const WIDTHS: [f64; 20] = [
    7.0, 12.0, 22.0, 12.0, 12.0, 12.0, 16.0, 42.0, 16.0, 14.0, 20.0, 14.0, 20.0, 12.0, 12.0, 22.0, 28.0, 14.0, 14.0,
    22.0,
];

impl LogBook {
    /// Begins the workbook. Rows wait in a file in `spool` until they are zipped.
    ///
    /// # Errors
    /// What the disk says.
    pub fn new(
        format: crate::domain::report::Format,
        made_at: Wall,
        spool: Option<&Path>,
    ) -> Result<LogBook, WorkbookError> {
        let title = Text::ExportTitle {}.say(format.language);
        let mut book = begin(made_at, &title, "loaxa")?;
        if let Some(folder) = spool {
            book.set_tempdir(folder)?;
        }
        let looks = Looks::new();
        let sheet = book.add_worksheet_with_constant_memory()?;
        sheet.set_name(Text::ExportSheet {}.say(format.language))?;
        for (column, width) in (0..).zip(WIDTHS) {
            sheet.set_column_width(column, width)?;
        }
        for (column, heading) in (0..).zip(headings(format.language)) {
            sheet.write_string_with_format(0, column, heading, &looks.head)?;
        }
        sheet.set_row_height(0, 31.0)?;
        sheet.set_freeze_panes(1, 0)?;
        sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
        // Twenty columns on a page: every millimetre counts.
        sheet.set_margins(0.3, 0.3, 0.4, 0.4, 0.2, 0.2);
        let (totals, outcomes) = (Totals::new(false), BTreeMap::new());
        Ok(LogBook { book, looks, format, totals, outcomes, next: 1, day: None })
    }

    /// Adds an airing's row.
    ///
    /// # Errors
    /// [`WorkbookError::TooManyRows`], or what the disk says.
    pub fn row(&mut self, row: &Row<'_>) -> Result<(), WorkbookError> {
        if self.next > MOST_ROWS {
            return Err(WorkbookError::TooManyRows);
        }
        self.totals.row(row);
        let shown = cells(row, u64::from(self.next), &self.format, &mut self.day);
        if let Some(outcome) = row.outcome() {
            let entry = self.outcomes.entry(outcome.key()).or_insert((outcome, 0, 0));
            entry.1 += 1;
            entry.2 += row.int("played_ms").unwrap_or(0);
        }
        let zone = self.format.zone;
        let moment = |key: &str| row.time(key).map(|t| zone.local(t));
        let at = self.next;
        let looks = &self.looks;
        let sheet = self.book.worksheet_from_index(0)?;
        for (column, text) in (0u16..).zip(&shown) {
            let time = match column {
                1 => moment("planned_at").map(|t| (t.date().and_time(NaiveTime::MIN), &looks.date)),
                3 => moment("planned_at").map(|t| (t, &looks.time)),
                4 => moment("started_at").map(|t| (t, &looks.time)),
                5 => moment("ended_at").map(|t| (t, &looks.time)),
                _ => None,
            };
            let number = match column {
                0 => Some(f64::from(at)),
                13 => row.int("clip_ms").map(|ms| ms as f64 / 1000.0),
                14 => row.int("played_ms").map(|ms| ms as f64 / 1000.0),
                _ => None,
            };
            if let Some((time, format)) = time {
                sheet.write_datetime_with_format(at, column, &excel(time)?, format)?;
            } else if let Some(number) = number {
                sheet.write_number_with_format(at, column, number, &looks.number)?;
            } else {
                write_text(sheet, at, column, text, &looks.number)?;
            }
        }
        self.next += 1;
        Ok(())
    }

    /// Adds the sheet of totals and writes the file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(mut self, out: impl io::Write + Send) -> Result<(), WorkbookError> {
        self.close()?;
        Ok(self.book.save_to_writer(out)?)
    }

    fn close(&mut self) -> Result<(), WorkbookError> {
        let last = self.next - 1;
        self.book.worksheet_from_index(0)?.autofilter(0, 0, last, WIDTHS.len() as u16 - 1)?;
        let language = self.format.language;
        let say = |text: Text| text.say(language);
        let sheet = self.book.add_worksheet();
        sheet.set_name(say(Text::ExportTotals {}))?;
        for (column, width) in (0..).zip([36.0, 16.0, 18.0, 18.0, 18.0, 14.0]) {
            sheet.set_column_width(column, width)?;
        }
        sheet.set_paper_size(9).set_print_fit_to_pages(1, 0);
        let looks = &self.looks;
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let mut row = 0;
        let heads = [Text::HeadOutcome {}, Text::TotalRows {}, Text::TotalPlayed {}];
        for (column, head) in (0..).zip(heads) {
            sheet.write_string_with_format(row, column, say(head), &looks.head)?;
        }
        for outcome in Outcome::ALL {
            let Some((_, n, ms)) = self.outcomes.get(outcome.key()) else { continue };
            row += 1;
            sheet.write_string_with_format(row, 0, outcome_word(outcome, language), &looks.text)?;
            sheet.write_number_with_format(row, 1, *n as f64, &looks.count)?;
            sheet.write_number_with_format(row, 2, seconds(*ms), &looks.number)?;
        }
        row += 2;
        if self.totals.not_counted > 0 {
            let text = say(Text::TotalNotCounted { rows: self.totals.not_counted });
            sheet.write_string_with_format(row, 0, text, &looks.bold)?;
            row += 2;
        }
        let columns = [
            Text::TotalAired {},
            Text::TotalAiredSeconds {},
            Text::TotalCut {},
            Text::TotalCutSeconds {},
            Text::TotalNotBegun {},
        ];
        let groups = [(Text::HeadCampaign {}, &self.totals.campaigns), (Text::HeadClipId {}, &self.totals.clips)];
        for (name, sums) in groups {
            sheet.write_string_with_format(row, 0, say(name), &looks.head)?;
            for (column, head) in (1..).zip(columns.iter()) {
                sheet.write_string_with_format(row, column, head.say(language), &looks.head)?;
            }
            let all = (say(Text::TotalAll {}), &self.totals.all);
            for (name, sum) in sums.iter().map(|(k, v)| (k.clone(), v)).chain([all]) {
                row += 1;
                write_text(sheet, row, 0, &name, &looks.text)?;
                sheet.write_number_with_format(row, 1, sum.aired as f64, &looks.count)?;
                sheet.write_number_with_format(row, 2, seconds(sum.aired_ms), &looks.number)?;
                sheet.write_number_with_format(row, 3, sum.cut as f64, &looks.count)?;
                sheet.write_number_with_format(row, 4, seconds(sum.cut_ms), &looks.number)?;
                sheet.write_number_with_format(row, 5, sum.not_begun as f64, &looks.count)?;
            }
            row += 2;
        }
        Ok(())
    }
}

/// A paper as a workbook: its words on the first sheet, every table on one of its own.
///
/// # Errors
/// None in practice: it is written into memory.
pub fn paper_book(paper: &Paper) -> Result<Vec<u8>, WorkbookError> {
    let title = format!("{} - {}", paper.kind, paper.subject.replace('\n', " "));
    let mut book = begin(paper.head.made_at, &title, &paper.head.station)?;
    let looks = Looks::new();
    let mut words: Vec<(String, bool)> = Vec::new();
    if paper.head.trial {
        words.push((TRIAL_MARK.into(), true));
    }
    words.extend([(COUNTRY.to_owned(), true), (MOTTO.to_owned(), true)]);
    words.extend(paper.head.body.iter().map(|line| (line.clone(), true)));
    words.extend([(String::new(), false), (paper.kind.clone(), true), (paper.subject.clone(), true)]);
    words.push((String::new(), false));
    let mut tables: Vec<(String, &Table)> = Vec::new();
    let mut section = String::new();
    for block in &paper.blocks {
        match block {
            Block::Section(text) => {
                section.clone_from(text);
                words.push((text.clone(), true));
            }
            Block::Text(text) => words.push((text.clone(), false)),
            Block::Notice(text) => words.push((text.clone(), true)),
            Block::Blank(what) => words.push((format!("({what}) …"), false)),
            Block::Annex(number, title) => {
                section = format!("{number}. {}", title.replace('\n', " "));
                words.push((section.clone(), true));
            }
            Block::Table(table) => {
                let name = if table.name.is_empty() { &section } else { &table.name };
                words.push((format!("{name}: xem trang tính \"{}\"", table.sheet), false));
                tables.push((name.clone(), table));
            }
            Block::Chart(chart) if !chart.days.is_empty() => {
                words.push((format!("{}: xem trang tính \"{CHART_SHEET}\"", chart.caption), false));
            }
            Block::Chart(_) => {}
            Block::Signature { receivers, signer } => {
                words.push((format!("Nơi nhận: {}", receivers.join(" ")), false));
                words.push((signer.join(" "), true));
            }
            Block::Signatures(places) => {
                words.extend(places.iter().map(|(what, how)| (format!("{what} {how}"), true)));
            }
        }
    }
    let sheet = book.add_worksheet();
    sheet.set_name("Báo cáo")?.set_column_width(0, WORDS_WIDTH)?;
    sheet.set_paper_size(9).set_print_fit_to_pages(1, 0);
    let wrapped = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    let bold = wrapped.clone().set_bold();
    for (row, (text, strong)) in (0..).zip(&words) {
        if !text.is_empty() {
            sheet.set_row_height(row, height([(text.as_str(), WORDS_WIDTH)]))?;
            sheet.write_string_with_format(row, 0, fitting(text), if *strong { &bold } else { &wrapped })?;
        }
    }
    mark(sheet, paper);
    for (name, table) in tables {
        let sheet = book.add_worksheet();
        table_sheet(sheet, &name, table, &looks)?;
        mark(sheet, paper);
    }
    for (number, chart) in (1..).zip(paper.charts()) {
        let sheet = book.add_worksheet();
        let name = if number == 1 { CHART_SHEET.to_owned() } else { format!("{CHART_SHEET} {number}") };
        chart_sheet(sheet, &name, chart, &looks)?;
        mark(sheet, paper);
    }
    Ok(book.save_to_buffer()?)
}

/// Width of the sheet of words, characters: a page of A4 upright, also in the wider letters of LibreOffice.
const WORDS_WIDTH: f64 = 78.0;

/// The sheet on which a chart stands beside its figures.
const CHART_SHEET: &str = "Biểu đồ";

fn chart_sheet(sheet: &mut Worksheet, name: &str, chart: &paper::Chart, looks: &Looks) -> Result<(), XlsxError> {
    sheet.set_name(name)?.set_paper_size(9).set_landscape().set_print_fit_to_pages(1, 0);
    write_text(sheet, 0, 0, &chart.caption, &looks.bold)?;
    let quota = chart.quota.map(|quota| (quota, chart.quota_words(quota)));
    let heads = ["Ngày", chart.counted].into_iter().chain(quota.as_ref().map(|(_, words)| words.as_str()));
    let head = 1;
    for (column, text) in (0..).zip(heads) {
        sheet.set_column_width(column, 13.0)?;
        sheet.write_string_with_format(head, column, text, &looks.head)?;
    }
    sheet.set_row_height(head, 31.0)?;
    sheet.set_freeze_panes(head + 1, 0)?;
    let mut last = head;
    for (date, n) in &chart.days {
        last += 1;
        sheet.write_datetime_with_format(last, 0, &excel(date.and_time(NaiveTime::MIN))?, &looks.date)?;
        sheet.write_number_with_format(last, 1, *n as f64, &looks.count)?;
        if let Some((quota, _)) = &quota {
            sheet.write_number_with_format(last, 2, *quota as f64, &looks.count)?;
        }
    }
    let add = |drawn: &mut Chart, column: u16, format: &mut ChartFormat| {
        let series = drawn.add_series();
        series.set_name((name, head, column)).set_categories((name, head + 1, 0, last, 0));
        series.set_values((name, head + 1, column, last, column)).set_format(format);
    };
    let mut bars = Chart::new(ChartType::Column);
    add(&mut bars, 1, ChartFormat::new().set_solid_fill(ChartSolidFill::new().set_color(Color::RGB(0x0077_7777))));
    if quota.is_some() {
        let mut line = Chart::new(ChartType::Line);
        let mut dashes = ChartLine::new();
        dashes.set_color(Color::Black).set_width(1.5).set_dash_type(ChartLineDashType::Dash);
        add(&mut line, 2, ChartFormat::new().set_line(&dashes));
        bars.combine(&line);
    }
    bars.x_axis().set_num_format("dd/mm").set_text_axis(true);
    bars.y_axis().set_min(0.0).set_major_unit(chart.most().div_ceil(5).max(1) as f64).set_num_format("0");
    bars.title().set_name(&chart.caption);
    bars.legend().set_position(ChartLegendPosition::Bottom);
    bars.set_width(820).set_height(360);
    sheet.insert_chart(1, 4, &bars)?;
    Ok(())
}

/// Every printed page of a trial says so.
fn mark(sheet: &mut Worksheet, paper: &Paper) {
    let number = if paper.head.trial { format!("&C&\"Times New Roman,Bold\"&20{TRIAL_MARK}") } else { "&C&P".into() };
    sheet.set_header(number);
}

/// A column's share of a page as a width in characters.
fn characters(share: u32) -> f64 {
    (f64::from(share) * 1.3).max(9.0)
}

fn table_sheet(sheet: &mut Worksheet, name: &str, table: &Table, looks: &Looks) -> Result<(), XlsxError> {
    sheet.set_name(&table.sheet)?;
    sheet.set_paper_size(9).set_landscape().set_print_fit_to_pages(1, 0);
    let last_column = table.columns.len().saturating_sub(1) as u16;
    write_text(sheet, 0, 0, name, &looks.bold)?;
    let head = 1;
    for (column, c) in (0..).zip(&table.columns) {
        sheet.set_column_width(column, characters(c.width))?;
        sheet.write_string_with_format(head, column, &c.head, &looks.head)?;
    }
    sheet.set_row_height(head, height(table.columns.iter().map(|c| (c.head.as_str(), characters(c.width) * 0.85))))?;
    sheet.set_freeze_panes(head + 1, 0)?;
    sheet.set_repeat_rows(head, head)?;
    let mut row = head;
    for line in &table.rows {
        row += 1;
        if line.look == Look::Across {
            let text = line.cells.first().map(Cell::show).unwrap_or_default();
            if last_column == 0 {
                write_text(sheet, row, 0, &text, &looks.across)?;
            } else {
                sheet.merge_range(row, 0, row, last_column, fitting(&text), &looks.across)?;
            }
            continue;
        }
        let strong =
            |format: &Format| if line.look == Look::Total { format.clone().set_bold() } else { format.clone() };
        for ((column, cell), c) in (0..).zip(&line.cells).zip(&table.columns) {
            match cell {
                Cell::Text(text) => {
                    let set = match c.align {
                        Align::Left => looks.text.clone(),
                        Align::Middle => looks.text.clone().set_align(FormatAlign::Center),
                        Align::Right => looks.text.clone().set_align(FormatAlign::Right),
                    };
                    write_text(sheet, row, column, text, &strong(&set))?;
                }
                Cell::Count(n) => {
                    sheet.write_number_with_format(row, column, *n as f64, &strong(&looks.count))?;
                }
                Cell::Seconds(ms) => {
                    sheet.write_number_with_format(row, column, *ms as f64 / 1000.0, &strong(&looks.number))?;
                }
                Cell::Minutes(ms) => {
                    let look = strong(&looks.number).set_num_format("#,##0.00");
                    sheet.write_number_with_format(row, column, *ms as f64 / 60_000.0, &look)?;
                }
                Cell::Share(part, whole) if *whole > 0 => {
                    let share = *part as f64 / *whole as f64;
                    sheet.write_number_with_format(row, column, share, &strong(&looks.share))?;
                }
                Cell::Share(..) => write_text(sheet, row, column, &cell.show(), &strong(&looks.text))?,
                Cell::Date(date) => {
                    let at = excel(date.and_time(NaiveTime::MIN))?;
                    sheet.write_datetime_with_format(row, column, &at, &strong(&looks.date))?;
                }
                Cell::Time(at) => {
                    sheet.write_datetime_with_format(row, column, &excel(*at)?, &strong(&looks.time))?;
                }
                Cell::Empty => {
                    sheet.write_blank(row, column, &looks.text)?;
                }
            }
        }
    }
    if table.list && row > head {
        sheet.autofilter(head, 0, row, last_column)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::Language;
    use crate::domain::time::Zone;

    fn book() -> LogBook {
        LogBook::new(crate::domain::report::Format::of(Language::Vi, Zone::default()), Wall(0), None).unwrap()
    }

    const ROW: &str =
        "{\"type\":\"airing\",\"title\":\"=1+1\",\"planned_at\":\"2022-10-05T05:35:35.000+07:00\",\"played_ms\":1500}";

    #[test]
    fn a_sheet_is_never_fuller_than_excel_takes() {
        let row = Row::parse(ROW).unwrap();
        let mut book = book();
        book.row(&row).unwrap();
        book.next = MOST_ROWS;
        book.row(&row).unwrap();
        assert!(matches!(book.row(&row), Err(WorkbookError::TooManyRows)));
    }

    #[test]
    fn the_same_rows_give_the_same_bytes_and_text_no_formula() {
        let bytes = || {
            let mut book = book();
            book.row(&Row::parse(ROW).unwrap()).unwrap();
            let mut out = Vec::new();
            book.finish(&mut out).unwrap();
            out
        };
        let made = bytes();
        assert_eq!(made, bytes());
        let mut archive = zip::ZipArchive::new(io::Cursor::new(made)).unwrap();
        let mut sheet = String::new();
        io::Read::read_to_string(&mut archive.by_name("xl/worksheets/sheet1.xml").unwrap(), &mut sheet).unwrap();
        assert!(sheet.contains("<t>=1+1</t>") && !sheet.contains("<f>"), "{sheet}");
    }

    #[test]
    fn long_texts_end_at_a_letter() {
        let long = "đ".repeat(LONGEST_TEXT);
        assert!(fitting(&long).len() <= LONGEST_TEXT && fitting(&long).ends_with('đ'));
        assert_eq!(fitting("Đài"), "Đài");
    }
}
