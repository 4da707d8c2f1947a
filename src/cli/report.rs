//! `loaxa report`: diary, period and campaign as pages to print, as Word files or workbooks.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};

use super::export::{Trouble as ExportTrouble, write_file};
use super::{Context, Done, Failure};
use crate::daemon::clock::MachineClock;
use crate::daemon::sync::load_all;
use crate::domain::airing::hex;
use crate::domain::config::{Config, Language};
use crate::domain::playlist::LOCAL;
use crate::domain::report::campaign::{self, CampaignFacts};
use crate::domain::report::diary::{self, Week};
use crate::domain::report::gather::{Gathered, Gatherer};
use crate::domain::report::paper::{Letterhead, Paper};
use crate::domain::report::period::{self, Period, PeriodKind};
use crate::domain::report::{RowFilter, Summary, docx, html};
use crate::domain::text::{Text, system_words};
use crate::domain::time::{Clock, Wall, next_day};
use crate::edge::airing_log::{AiringLog, FILE_NAME, LogError};
use crate::edge::clip_store::ClipStore;
use crate::edge::workbook::paper_book;

/// Shown under `--help`.
pub const EXAMPLE: &str = "Ví dụ (examples):
  loaxa report diary --week 2022-W40 -o so-nhat-ky.html
  loaxa report period --kind month --ending 2022-10 --format docx -o thang-10.docx
  loaxa report campaign tinh/cds-2022 -o bao-cao.html
  loaxa report campaign cds-2022 --from-files bm-01.jsonl bm-02.jsonl --format xlsx -o bao-cao.xlsx";

/// `loaxa report`
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    which: Which,
}

#[derive(Subcommand)]
enum Which {
    /// Sổ nhật ký chương trình phát thanh của một tuần (the log of a week, a day a table)
    Diary {
        /// Tuần, như 2022-W40; mặc định: tuần này (ISO week)
        #[arg(long, value_name = "W")]
        week: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Báo cáo kỳ: từ ngày 15 đến hết ngày 14 (a report period, from the 15th to the 14th)
    Period {
        /// Loại kỳ (how long)
        #[arg(long, value_enum)]
        kind: KindArgument,
        /// Tháng cuối của kỳ, như 2022-10 (its last month)
        #[arg(long, value_name = "YYYY-MM")]
        ending: String,
        /// Theo tháng dương lịch, từ ngày 1 đến ngày cuối tháng (calendar months)
        #[arg(long)]
        calendar: bool,
        /// Kèm phụ lục mọi lượt phát; xlsx luôn có (list every airing; xlsx always does)
        #[arg(long)]
        annex: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Báo cáo kết quả một đợt tuyên truyền (the result of a campaign)
    Campaign {
        /// Mã đợt: cds-2022 hoặc tinh/cds-2022 (ID or SOURCE/ID)
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum KindArgument {
    Month,
    Quarter,
    Half,
    NineMonths,
    Year,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArgument {
    Html,
    Docx,
    Xlsx,
}

#[derive(Args)]
struct Common {
    /// Định dạng: html để in, docx để sửa tiếp, xlsx (format)
    #[arg(long, value_enum, default_value = "html")]
    format: FormatArgument,
    /// Ghi vào tệp này (write to this file)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Bản thử: tính cả các lượt chạy không ra loa, đóng dấu BẢN THỬ mọi trang (count trial runs)
    #[arg(long)]
    trial: bool,
    /// Số liệu từ các tệp jsonl đã xuất, mỗi thiết bị một tệp (from exported files, one a device)
    #[arg(long, value_name = "FILE", num_args = 1..)]
    from_files: Vec<PathBuf>,
    /// Thiết bị phải có số liệu; lặp lại được (devices that must be there)
    #[arg(long, value_name = "ID")]
    device: Vec<String>,
    /// Cơ quan ban hành, như "XÃ BÌNH MINH" (issuing body)
    #[arg(long, value_name = "NAME")]
    body: Option<String>,
    /// Nơi ký, như "Bình Minh" (place of signing)
    #[arg(long, value_name = "NAME")]
    place: Option<String>,
}

/// What every report needs of the station.
struct Desk {
    config: Config,
    language: Language,
    lists: Vec<CampaignFacts>,
    now: Wall,
}

impl Desk {
    fn say(&self, text: Text) -> String {
        text.say(self.language)
    }

    fn head(&self, common: &Common) -> Letterhead {
        let zone = self.config.station.timezone;
        let mut head = Letterhead::of(&self.config.station.name, zone, self.now, common.trial);
        if let (Some(body), Some(last)) = (&common.body, head.body.last_mut()) {
            last.clone_from(body);
            head.issuer = head.body.join(" ");
        }
        if let Some(place) = &common.place {
            head.place.clone_from(place);
        }
        head
    }
}

fn desk(context: &Context) -> Result<Desk, Failure> {
    let clock = MachineClock::plain();
    let loaded = super::station::load(context)?;
    let (config, language) = (loaded.config, loaded.language);
    let mut lists: Vec<CampaignFacts> = Vec::new();
    if let Some(local) = &loaded.local {
        lists.extend(local.campaigns.iter().map(|c| CampaignFacts::of_list(LOCAL, c)));
    }
    if config.state.dir.join("playlists").exists() {
        let fails = |e: crate::edge::clip_store::StoreError| Failure::Failed(e.text(language).say(language));
        let store = ClipStore::open(&config.state.dir).map_err(fails)?;
        for (source, loaded) in load_all(&config, &store, &clock, language, &HashMap::new()).map_err(fails)? {
            if let Some(stored) = loaded.stored {
                lists.extend(stored.list.campaigns.iter().map(|c| CampaignFacts::of_list(&source, c)));
            }
        }
    }
    Ok(Desk { config, language, lists, now: clock.now().wall() })
}

/// Makes a report.
pub fn run(context: &Context, arguments: &Arguments) -> Done {
    let desk = desk(context)?;
    let zone = desk.config.station.timezone;
    let (common, paper) = match &arguments.which {
        Which::Diary { week, common } => {
            let week = match week {
                Some(text) => Week::parse(text)
                    .ok_or_else(|| Failure::Usage(desk.say(Text::ReportBadWeek { value: text.clone() })))?,
                None => Week::of(zone.date(desk.now)),
            };
            let [first, .., last] = week.days();
            let span = (zone.midnight(first), zone.midnight(next_day(last)));
            let gathered = gather(&desk, common, Some(span), None)?;
            (common, diary::paper(desk.head(common), &gathered, &week))
        }
        Which::Period { kind, ending, calendar, annex, common } => {
            let bad = || Failure::Usage(desk.say(Text::ReportBadMonth { value: ending.clone() }));
            let month: NaiveDate = format!("{ending}-01").parse().map_err(|_| bad())?;
            let kind = PeriodKind::ALL[*kind as usize];
            let period = Period::ending(kind, month, *calendar).ok_or_else(bad)?;
            let span = (zone.midnight(period.from), zone.midnight(next_day(period.to)));
            let gathered = gather(&desk, common, Some(span), None)?;
            let annex = *annex || common.format == FormatArgument::Xlsx;
            (common, period::paper(desk.head(common), &gathered, &period, annex))
        }
        Which::Campaign { id, common } => {
            let head = desk.head(common);
            let gathered = gather(&desk, common, None, Some(id))?;
            let facts = facts(&desk, id, &gathered, &head)?;
            (common, campaign::paper(head, &gathered, facts))
        }
    };
    hand_over(&desk, common, &paper)
}

/// The campaign as a list has it, or as rows tell.
fn facts(desk: &Desk, id: &str, gathered: &Gathered, head: &Letterhead) -> Result<CampaignFacts, Failure> {
    let means = |full: &str| full == id || full.split_once('/').is_some_and(|(_, plain)| plain == id);
    let mut known: Vec<&str> = desk.lists.iter().map(|f| &*f.id).collect();
    known.extend(gathered.lines.iter().filter_map(|l| l.campaign_id.as_deref()));
    known.sort_unstable();
    known.dedup();
    let meant: Vec<&str> = known.iter().copied().filter(|full| means(full)).collect();
    match meant[..] {
        [full] => {
            let listed = desk.lists.iter().find(|f| f.id == full).cloned();
            Ok(listed.unwrap_or_else(|| CampaignFacts::of_rows(full, &gathered.lines, head)))
        }
        [] => {
            let known = if known.is_empty() { "-".into() } else { known.join(", ") };
            Err(Failure::Failed(desk.say(Text::ReportNoCampaign { id: id.to_owned(), known })))
        }
        _ => Err(Failure::Usage(desk.say(Text::ReportManyCampaigns { id: id.to_owned(), known: meant.join(", ") }))),
    }
}

/// Collects rows from this box's log, or from files. `campaign`: only its airings are needed.
fn gather(
    desk: &Desk,
    common: &Common,
    span: Option<(Wall, Wall)>,
    campaign: Option<&str>,
) -> Result<Gathered, Failure> {
    let station = &desk.config.station;
    let mut gatherer = Gatherer::new(common.trial, Some(&station.id));
    let mut expected = common.device.clone();
    if common.from_files.is_empty() {
        own_log(desk, &mut gatherer, span, campaign)?;
    } else {
        // This box is one of the station's own, whoever makes the report.
        if expected.is_empty() {
            expected.push(station.device_id.clone());
        }
        for file in &common.from_files {
            let shown = file.display().to_string();
            let cannot = |why: String| Failure::Failed(desk.say(Text::ReportCannotRead { file: shown.clone(), why }));
            one_file(file, &mut gatherer).map_err(|e| cannot(system_words(&e, desk.language)))?;
        }
    }
    let span = span.or_else(|| campaign_span(desk, campaign));
    Ok(gatherer.finish(&expected, span, desk.now))
}

fn campaign_span(desk: &Desk, campaign: Option<&str>) -> Option<(Wall, Wall)> {
    let id = campaign?;
    let zone = desk.config.station.timezone;
    let facts = desk.lists.iter().find(|f| f.id == id || f.id.split_once('/').is_some_and(|(_, plain)| plain == id))?;
    Some((zone.midnight(facts.from?), zone.midnight(next_day(facts.to?))))
}

fn own_log(
    desk: &Desk,
    gatherer: &mut Gatherer,
    span: Option<(Wall, Wall)>,
    campaign: Option<&str>,
) -> Result<(), Failure> {
    let failed = |error: LogError| Failure::Failed(error.text().say(desk.language));
    let log = AiringLog::open_read_only(&desk.config.state.dir.join(FILE_NAME)).map_err(failed)?;
    let filter = match (campaign, span) {
        (Some(id), _) => RowFilter { campaign: Some(id.to_owned()), ..RowFilter::default() },
        (None, Some((from, to))) => match log.seq_range(Some(from), Some(to)).map_err(failed)? {
            // A few rows more: the last sign of life before the first start in the span, behind notes.
            Some((first, last)) => {
                RowFilter { every_type: true, numbers: Some((first.saturating_sub(20), last)), ..RowFilter::default() }
            }
            None => RowFilter { numbers: Some((1, 0)), ..RowFilter::default() },
        },
        (None, None) => RowFilter::default(),
    };
    let mut feed = gatherer.begin("", false);
    log.for_each_row::<LogError>(&filter, |_, body| {
        gatherer.take(&mut feed, body);
        Ok(())
    })
    .map_err(failed)?;
    let head = log.head().map_err(failed)?;
    gatherer.end_of_own(feed, (head.seq > 0).then(|| hex(&head.head)));
    Ok(())
}

/// Longest line taken from a file, bytes.
const LONGEST_LINE: u64 = 4 << 20;

fn one_file(path: &Path, gatherer: &mut Gatherer) -> io::Result<()> {
    let summary = last_summary(path)?;
    let mut lines = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let mut feed = gatherer.begin(&path.display().to_string(), summary.is_some());
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(&line)).unwrap_or("");
        if !text.starts_with("{\"type\":\"summary\"") {
            gatherer.take(&mut feed, text);
        }
    }
    gatherer.end(feed, summary.as_ref().map(|(summary, unchanged)| (summary, *unchanged)));
    Ok(())
}

/// The last line of a file, when it is a summary, and whether it is as it was written.
fn last_summary(path: &Path) -> io::Result<Option<(Summary, bool)>> {
    let line = super::verify::last_line(path)?.unwrap_or_default();
    Ok(Summary::read(&line).map(|summary| (summary, Summary::is_unchanged(&line))))
}

/// Writes the paper where it is wanted, and says on stderr what the paper itself says of its rows.
fn hand_over(desk: &Desk, common: &Common, paper: &Paper) -> Done {
    let name = match common.format {
        FormatArgument::Html => "html",
        FormatArgument::Docx => "docx",
        FormatArgument::Xlsx => "xlsx",
    };
    if common.output.is_none() && common.format != FormatArgument::Html && io::stdout().is_terminal() {
        return Err(Failure::Usage(desk.say(Text::ReportNeedsFile { format: name.into() })));
    }
    let failed = |why: String| {
        let file = common.output.as_deref().unwrap_or(Path::new("stdout")).display().to_string();
        Failure::Failed(desk.say(Text::ExportCannotWrite { file, why }))
    };
    let bytes = match common.format {
        FormatArgument::Html => html::page(paper).into_bytes(),
        FormatArgument::Docx => docx::file(paper).map_err(|e| failed(e.to_string()))?,
        FormatArgument::Xlsx => paper_book(paper).map_err(|e| failed(e.to_string()))?,
    };
    for text in paper.notices() {
        eprintln!("{}", desk.say(Text::ReportNotice { text: text.to_owned() }));
    }
    match &common.output {
        Some(file) => {
            let written = write_file(file, |out| Ok(out.write_all(&bytes).map(|()| 0)?));
            match written {
                Ok(_) => {}
                Err(ExportTrouble::Out(error)) => return Err(failed(system_words(&error, desk.language))),
                Err(other) => return Err(failed(format!("{other:?}"))),
            }
            if io::stderr().is_terminal() {
                eprintln!("{}", desk.say(Text::ReportWritten { file: file.display().to_string() }));
            }
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            match out.write_all(&bytes).and_then(|()| out.flush()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(failed(error.to_string())),
                _ => {}
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
