//! `loaxa export`: the airing log as CSV, JSON lines, workbook or page, streamed.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::ask::{SOON, write_down};
use super::{Context, Done, Failure, progress};
use crate::daemon::clock::MachineClock;
use crate::daemon::station::Glance;
use crate::domain::airing::{Outcome, hex};
use crate::domain::chain::Row;
use crate::domain::config::Language;
use crate::domain::report::html::HtmlSheet;
use crate::domain::report::{Counted, CsvSheet, Format, RowFilter, Summary};
use crate::domain::text::{Text, system_words};
use crate::domain::time::{Clock, Wall, Zone};
use crate::edge::airing_log::{AiringLog, EXPORTED, FILE_NAME, LogError, machine_mark};
use crate::edge::control::{Answer, AskError, Request, ask};
use crate::edge::device_key::DeviceKey;
use crate::edge::workbook::{LogBook, MOST_ROWS, WorkbookError};

/// What is exported, and how.
#[derive(clap::Args)]
#[command(after_help = "Ví dụ (examples):
  loaxa export --from 2022-10-01 --to 2022-11-01 --format csv -o thang-10.csv
  loaxa export --from 2022-10-01 --to 2022-11-01 --format xlsx -o thang-10.xlsx
  loaxa export --campaign tinh/cds-2022 --format jsonl
  loaxa export --format jsonl --chain -o nhat-ky.jsonl   rồi (then)   loaxa verify nhat-ky.jsonl
  loaxa export --format jsonl --chain --sign -o nhat-ky.jsonl
  minisign -V -p device.pub -m nhat-ky.jsonl             ở máy khác (elsewhere)")]
pub(super) struct Arguments {
    /// Từ thời điểm này theo lịch, kể cả (planned at or after)
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Đến trước thời điểm này theo lịch (planned before)
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// Chỉ đợt tuyên truyền này (only this campaign): SOURCE/ID
    #[arg(long, value_name = "ID")]
    campaign: Option<String>,
    /// Chỉ buổi phát này (only this session): ID | SOURCE/ID
    #[arg(long, value_name = "ID")]
    slot: Option<String>,
    /// Chỉ kết quả này (only this outcome): aired, partial, interrupted, missed, blocked, failed, relayed
    #[arg(long, value_name = "O")]
    outcome: Option<String>,
    /// Chỉ bài của đơn vị gửi này (only clips of this source)
    #[arg(long, value_name = "S")]
    source: Option<String>,
    /// Định dạng (format): csv | jsonl | xlsx | html
    #[arg(long, value_name = "F")]
    format: String,
    /// Cả chuỗi, kèm dòng tổng kết để `verify` chứng minh đủ dòng (the whole chain, provable; jsonl)
    #[arg(long)]
    chain: bool,
    /// Ký bằng khóa riêng của máy vào TỆP.minisig (sign with the box's own key into FILE.minisig)
    #[arg(long)]
    sign: bool,
    /// Ghi vào tệp này, thay vì ra màn hình (write to this file)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Ký tự ngăn cột của csv (between columns); mặc định: ; (tiếng Việt), "," (English)
    #[arg(long, value_name = "C")]
    separator: Option<String>,
    #[command(flatten)]
    station: Station,
}

/// Rows from which on a progress bar is worth its place.
const LONG: u64 = 20_000;

/// Runs the command.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Done {
    let station = arguments.station.load(context)?;
    let say = |text: Text| text.say(station.language);
    let kind = match arguments.format.as_str() {
        "csv" => Kind::Csv,
        "jsonl" => Kind::Lines,
        "xlsx" => Kind::Workbook,
        "html" => Kind::Page,
        _ => return Err(Failure::Usage(say(Text::ExportUnknownFormat { format: arguments.format.clone() }))),
    };
    let filter = filter(arguments, &station)?;
    if arguments.chain && (kind != Kind::Lines || filter.looks_inside()) {
        return Err(Failure::Usage(say(Text::ExportChainAlone {})));
    }
    if arguments.sign && arguments.output.as_deref().is_none_or(|f| fs::metadata(f).is_ok_and(|m| !m.is_file())) {
        return Err(Failure::Usage(say(Text::ExportSignNeedsFile {})));
    }
    let mut format = Format::of(station.data_language, station.zone);
    if let Some(separator) = &arguments.separator {
        format.separator = match separator.as_str() {
            "tab" | "\\t" => b'\t',
            one if one.len() == 1 && one.is_ascii() && !matches!(one, "\"" | "\n" | "\r" | "\0") => one.as_bytes()[0],
            _ => return Err(Failure::Usage(say(Text::ExportBadSeparator { value: separator.clone() }))),
        };
    }
    let log = AiringLog::open_read_only(&station.dir.join(FILE_NAME)).map_err(|e| Failure::Failed(say(e.text())))?;
    let job = Job { kind, chain: arguments.chain, format, language: station.language, spool: spool(arguments) };
    let written = match &arguments.output {
        Some(file) => write_file(file, |out| export(&log, &filter, &job, out)),
        None => {
            let mut out = BufWriter::with_capacity(64 * 1024, io::stdout());
            export(&log, &filter, &job, &mut out).and_then(|rows| Ok(out.flush().map(|()| rows)?))
        }
    };
    match written {
        Ok(rows) => {
            if rows == 0 {
                eprintln!("{}", say(Text::ExportNothing {}));
            }
            if let Some(file) = arguments.output.as_deref().filter(|f| f.is_file()) {
                if arguments.sign {
                    sign(file, &log, &filter, &station)?;
                }
                if arguments.chain {
                    note_exported(context, file, &log, &station);
                }
            }
            if let Some(file) = &arguments.output
                && io::stderr().is_terminal()
            {
                eprintln!("{}", say(Text::ExportWritten { rows, file: file.display().to_string() }));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(Trouble::Log(error)) => Err(Failure::Failed(say(error.text()))),
        Err(Trouble::TooManyRows) => Err(Failure::Failed(say(Text::ExportTooManyRows { most: MOST_ROWS }))),
        // Whoever reads has seen enough: `loaxa export ... | head`.
        Err(Trouble::Out(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(Trouble::Out(error)) => {
            let file = arguments.output.as_deref().unwrap_or(Path::new("stdout")).display().to_string();
            let why = system_words(&error, station.language);
            Err(Failure::Failed(say(Text::ExportCannotWrite { file, why })))
        }
    }
}

/// Signs a file that was just written.
fn sign(file: &Path, log: &AiringLog, filter: &RowFilter, station: &Loaded) -> Result<(), Failure> {
    let say = |text: Text| Failure::Failed(text.say(station.language));
    let cannot = |e: io::Error| {
        let why = system_words(&e, station.language);
        say(Text::ExportCannotWrite { file: signature_of(file).display().to_string(), why })
    };
    let key = DeviceKey::of(&station.dir, machine_mark().as_deref()).map_err(|e| say(e.text()))?;
    let last = log.last_row().map_err(|e| say(e.text()))?;
    let of = |name: &str| last.as_ref().and_then(|r| r.body.get(name)?.as_str()).unwrap_or("-").to_owned();
    // By the chain's own summary when there is one: it is what the file holds.
    let summary = super::verify::last_line(file).ok().flatten().and_then(|l| Summary::read(&l));
    let (first, last_seq, head) = match summary {
        Some(s) => (s.first_seq, s.last_seq, s.head),
        None => {
            let range = log.seq_range(filter.from, filter.to).map_err(|e| say(e.text()))?;
            let head = log.head().map_err(|e| say(e.text()))?;
            (range.map(|r| r.0), range.map(|r| r.1), Some(hex(&head.head)))
        }
    };
    let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let words = format!(
        "loaxa station={} device={} log_id={} first_seq={} last_seq={} head={}",
        of("station_id"),
        of("device_id"),
        log.log_id(),
        number(first),
        number(last_seq),
        head.unwrap_or_else(|| "-".into()),
    );
    let reader = io::BufReader::new(fs::File::open(file).map_err(cannot)?);
    let signature = key.sign(reader, &words).map_err(cannot)?;
    write_file(&signature_of(file), |out| Ok(out.write_all(signature.as_bytes()).map(|()| 0)?)).map(drop).map_err(
        |error| match error {
            Trouble::Out(e) => cannot(e),
            other => cannot(io::Error::other(format!("{other:?}"))),
        },
    )
}

/// Where the signature of a file stands.
pub(super) fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// Notes up to which row the log has been exported: what has been may be pruned when it is old. Only a file counts
/// that goes on from the last one, so that nothing between two is lost.
fn note_exported(context: &Context, file: &Path, log: &AiringLog, station: &Loaded) {
    let summary = super::verify::last_line(file).ok().flatten().and_then(|l| Summary::read(&l));
    let Some((first, last)) = summary.and_then(|s| Some((s.first_seq?, s.last_seq?))) else { return };
    let before = log.named(EXPORTED).ok().flatten().and_then(|v| v["seq"].as_u64()).unwrap_or(0);
    let begins = log.first_seq().unwrap_or(1);
    if first > begins.max(before.saturating_add(1)) || last <= before {
        return;
    }
    let noted = match ask(&station.dir, &Request::Exported { seq: last }, Some(SOON)) {
        Ok(Answer::Done(_)) => Ok(()),
        Err(AskError::NoDaemon(_)) => {
            let value = serde_json::json!({ "seq": last });
            write_down(context, crate::domain::airing::Write::Set { name: EXPORTED.into(), value })
        }
        Ok(Answer::Refused { text, .. }) => Err(Failure::Failed(text)),
        Err(error) => Err(Failure::Failed(error.to_string())),
    };
    if let Err(error) = noted {
        eprintln!("{}", Text::ExportNotNoted { why: error.to_string() }.say(station.language));
    }
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv,
    Lines,
    Workbook,
    Page,
}

struct Job {
    kind: Kind,
    chain: bool,
    format: Format,
    language: Language,
    /// Where a workbook's rows wait until they are zipped.
    spool: Option<PathBuf>,
}

/// Beside the file to be written there is room for it; the system's folder for such files may be memory.
fn spool(arguments: &Arguments) -> Option<PathBuf> {
    let folder = arguments.output.as_deref()?.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let special = fs::metadata(arguments.output.as_deref()?).is_ok_and(|m| !m.is_file());
    (!special && folder.is_dir()).then(|| folder.to_owned())
}

#[derive(Debug)]
pub(super) enum Trouble {
    Log(LogError),
    Out(io::Error),
    TooManyRows,
}

impl From<WorkbookError> for Trouble {
    fn from(error: WorkbookError) -> Trouble {
        match error {
            WorkbookError::TooManyRows => Trouble::TooManyRows,
            WorkbookError::Io(error) => Trouble::Out(error),
            WorkbookError::Writer(error) => Trouble::Out(io::Error::other(error)),
        }
    }
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Trouble {
        Trouble::Log(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Out(error)
    }
}

fn filter(arguments: &Arguments, station: &Loaded) -> Result<RowFilter, Failure> {
    let say = |text: Text| Failure::Usage(text.say(station.language));
    let time = |option: &str, value: &Option<String>| -> Result<Option<Wall>, Failure> {
        let Some(value) = value else { return Ok(None) };
        let bad = || say(Text::ExportBadTime { option: option.into(), value: value.clone() });
        station.zone.parse(value).map(Some).ok_or_else(bad)
    };
    let outcome = match &arguments.outcome {
        None => None,
        Some(value) => Some(Outcome::ALL.into_iter().find(|o| o.key() == value).ok_or_else(|| {
            let known: Vec<_> = Outcome::ALL.iter().map(|o| o.key()).collect();
            say(Text::ExportBadOutcome { value: value.clone(), known: known.join(", ") })
        })?),
    };
    Ok(RowFilter {
        from: time("--from", &arguments.from)?,
        to: time("--to", &arguments.to)?,
        campaign: arguments.campaign.clone(),
        slot: arguments.slot.clone(),
        outcome,
        source: arguments.source.clone(),
        every_type: arguments.chain,
        numbers: None,
    })
}

/// Writes what is asked for; the number of rows.
fn export(log: &AiringLog, filter: &RowFilter, job: &Job, out: &mut (dyn Write + Send)) -> Result<u64, Trouble> {
    let (first, last) = log.seq_range(filter.from, filter.to)?.unwrap_or((1, 0));
    let bar = progress::bar((last + 1).saturating_sub(first), LONG, Text::ExportProgress {}.say(job.language));
    let tick = |seq: u64| {
        if seq.is_multiple_of(1024) {
            bar.set_position(seq.saturating_sub(first));
        }
    };
    let damaged = |seq: u64| io::Error::new(io::ErrorKind::InvalidData, format!("row {seq} is damaged: loaxa verify"));
    let format = job.format;
    let made = MachineClock::plain().now().wall();
    let made_at = format.zone.rfc3339(made);
    // A row at a time, whatever it becomes.
    let each = |add: &mut dyn FnMut(&Row<'_>) -> Result<(), Trouble>| {
        log.for_each_row::<Trouble>(filter, |seq, body| {
            tick(seq);
            add(&Row::parse(body).ok_or_else(|| damaged(seq))?)
        })
    };
    let count = match job.kind {
        Kind::Csv => {
            let mut sheet = CsvSheet::new(out, format)?;
            let count = each(&mut |row| Ok(sheet.row(row)?))?;
            sheet.finish()?;
            count
        }
        Kind::Workbook => {
            let mut book = LogBook::new(format, made, job.spool.as_deref())?;
            let count = each(&mut |row| Ok(book.row(row)?))?;
            book.finish(out)?;
            count
        }
        Kind::Page => {
            let at = format.zone.local(made).format("%H:%M:%S %d/%m/%Y").to_string();
            let under = Text::ExportMade { at, log: log.log_id().to_owned() }.say(format.language);
            let mut sheet = HtmlSheet::new(out, format, &Text::ExportTitle {}.say(format.language), &under)?;
            let count = each(&mut |row| Ok(sheet.row(row)?))?;
            sheet.finish(&Text::ExportRows { rows: count }.say(format.language))?;
            count
        }
        Kind::Lines => {
            let mut counted = Counted::default();
            let count = log.for_each_row::<Trouble>(filter, |seq, body| {
                tick(seq);
                if job.chain {
                    counted.add(seq, &Row::parse(body).ok_or_else(|| damaged(seq))?);
                }
                out.write_all(body.as_bytes())?;
                Ok(out.write_all(b"\n")?)
            })?;
            if job.chain {
                let open = log.sessions()?.into_iter().map(|s| s.key).collect();
                writeln!(out, "{}", counted.summary(made_at, log.log_id(), open).line())?;
            }
            count
        }
    };
    bar.finish_and_clear();
    Ok(count)
}

/// Writes a file whole or not at all: beside its place, flushed, then renamed over it. What is no regular file
/// (`/dev/stdout`, a pipe) is written as it is.
pub(super) fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> Result<u64, Trouble>,
) -> Result<u64, Trouble> {
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        let mut out = BufWriter::new(fs::OpenOptions::new().write(true).open(path)?);
        let rows = fill(&mut out)?;
        out.flush()?;
        return Ok(rows);
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let mut part = std::ffi::OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", std::process::id()));
    let part = folder.join(part);
    let write = || -> Result<u64, Trouble> {
        let mut out = BufWriter::with_capacity(64 * 1024, fs::File::create(&part)?);
        let rows = fill(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&part, path)?;
        fs::File::open(folder)?.sync_all()?;
        Ok(rows)
    };
    let rows = write();
    if rows.is_err() {
        let _ = fs::remove_file(&part);
    }
    rows
}

/// Where the station keeps its log. Only what says that is read of the config: with a mistake elsewhere in it the log
/// can still be exported and verified.
#[derive(clap::Args)]
pub(super) struct Station {
    /// The state folder, in place of the config's
    #[arg(long, hide = true, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// What is read of the config.
pub(super) struct Loaded {
    /// The state folder.
    pub(super) dir: PathBuf,
    /// The station's zone.
    pub(super) zone: Zone,
    /// Of sentences.
    pub(super) language: Language,
    /// Of headings and words in exported data: only `--lang` or the config change it, never the environment, so
    /// that a script gets the same bytes everywhere.
    pub(super) data_language: Language,
}

impl Station {
    pub(super) fn load(&self, context: &Context) -> Result<Loaded, Failure> {
        let glance = match (super::station::glance(context), &self.state) {
            (Ok(glance), _) => glance,
            (Err(_), Some(dir)) => Glance { dir: dir.clone(), zone: Zone::default(), language: None },
            (Err(failure), None) => return Err(failure),
        };
        let (language, data_language) = match glance.language {
            _ if context.language_forced => (context.language, context.language),
            Some(written) => (written, written),
            None => (context.language, Language::Vi),
        };
        Ok(Loaded { dir: self.state.clone().unwrap_or(glance.dir), zone: glance.zone, language, data_language })
    }
}
