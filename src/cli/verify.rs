//! `loaxa verify`: the log's chain, its rules and the stored clips, or an exported file.
//!
//! Rows are read on this thread and looked at by others ([`examine`] needs nothing but the row); what they find
//! is taken in order. So a million rows take seconds, and memory does not grow with the size of a row.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use minisign_verify::{PublicKey, Signature};
use sha2::{Digest, Sha256};

use super::export::{Station, signature_of};
use super::{Context, Done, Failure, fleet, progress};
use crate::domain::airing::hex;
use crate::domain::chain::{Break, Checker, Examined, Index, Rule, Scratch, Verdict, examine};
use crate::domain::config::Language;
use crate::domain::heartbeat::Heard;
use crate::domain::report::Summary;
use crate::domain::text::{Text, system_words};
use crate::domain::time::{Wall, Zone};
use crate::edge::airing_log::{AiringLog, FILE_NAME, Indexed, LogError, RawRow};

/// What is verified.
#[derive(clap::Args)]
#[command(after_help = "Ví dụ (examples):
  loaxa verify                    nhật ký và tệp âm thanh của máy này (this box)
  loaxa verify --witness access.log   đối chiếu với máy chủ web (against what a web server saw)
  loaxa verify nhat-ky.jsonl      tệp đã xuất, không cần máy đã xuất (an exported file, anywhere)
  loaxa verify nhat-ky.jsonl --key device.pub    và chữ ký của máy (and the box's signature)

Mã thoát (exit code): 0 nguyên vẹn (whole), 1 không nguyên vẹn (not whole)")]
pub(super) struct Arguments {
    /// Tệp jsonl đã xuất (an exported jsonl file)
    file: Option<PathBuf>,
    /// Khóa công khai của máy đã xuất, để kiểm tra FILE.minisig (the box's device.pub)
    #[arg(long, value_name = "PUB")]
    key: Option<PathBuf>,
    /// So nhật ký của máy này với tệp đã xuất trước đây (this log against an export made before; jsonl --chain)
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    against: Option<PathBuf>,
    /// Nhật ký truy cập của máy chủ web: đối chiếu nhật ký của máy này với các dấu máy chủ đã ghi (access logs of the
    /// web server, as an outside witness of this box's log)
    #[arg(long, value_name = "ACCESS.LOG", conflicts_with = "file")]
    witness: Vec<PathBuf>,
    #[command(flatten)]
    station: Station,
}

/// Rows handed over at once, at most.
const BATCH: usize = 256;
/// Bytes from which on a batch is handed over.
const BATCH_BYTES: usize = 256 * 1024;
/// Findings shown.
const SHOWN: usize = 20;
/// No row is longer; bytes.
const LONGEST_LINE: u64 = 16 << 20;

/// Runs the command.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Done {
    let verdict = match &arguments.file {
        Some(file) => {
            let mut report = Report::new(context.language);
            let summary = report.file(file)?;
            report.signature(file, arguments.key.as_deref(), summary.as_ref())?;
            report
        }
        None if arguments.key.is_some() => {
            return Err(Failure::Usage(Text::VerifyKeyAlone {}.say(context.language)));
        }
        None => {
            let station = arguments.station.load(context)?;
            let mut report = Report::new(station.language);
            report.log(&station.dir)?;
            if let Some(export) = &arguments.against {
                report.against(&station.dir, export)?;
            }
            report.clips(&station.dir.join("clips"))?;
            if !arguments.witness.is_empty() {
                report.witness(context, &station.dir, &arguments.witness)?;
            }
            report
        }
    };
    Ok(verdict.close())
}

/// Collects what is to be said, says it on stdout.
struct Report {
    language: Language,
    /// Number of the first broken row.
    first: Option<u64>,
    broken: u64,
    /// An exported file without a chain.
    each: bool,
}

impl Report {
    fn new(language: Language) -> Report {
        Report { language, first: None, broken: 0, each: false }
    }

    fn say(&self, text: Text) {
        // A closed pipe must not turn a finding into a panic.
        use std::io::Write;
        let _ = writeln!(io::stdout(), "{}", text.say(self.language));
    }

    fn broken(&mut self, text: Text) {
        self.broken += 1;
        self.say(text);
    }

    fn close(self) -> ExitCode {
        let (text, code) = match (self.broken, self.first) {
            (0, _) if self.each => (Text::VerifyFineEach {}, ExitCode::SUCCESS),
            (0, _) => (Text::VerifyFine {}, ExitCode::SUCCESS),
            (broken, Some(first)) => (Text::VerifyBroken { first, broken }, ExitCode::FAILURE),
            (broken, None) => (Text::VerifyBrokenElsewhere { broken }, ExitCode::FAILURE),
        };
        self.say(text);
        code
    }

    fn verdict(&mut self, verdict: Verdict) {
        let tally = &verdict.tally;
        match (tally.first_seq, tally.last_seq) {
            (Some(first), Some(last)) => {
                self.say(Text::VerifyCounted {
                    rows: tally.rows,
                    first,
                    last,
                    airings: tally.airings,
                    sessions: tally.sessions,
                    events: tally.events,
                    items: tally.items,
                });
                if let Some(head) = tally.head {
                    self.say(Text::VerifyHead { head: hex(&head) });
                }
            }
            _ => self.say(Text::VerifyEmpty {}),
        }
        if tally.lost > 0 {
            self.say(Text::VerifyLost { lost: tally.lost });
        }
        if !tally.missing.is_empty() {
            let rows: Vec<_> = tally.missing.iter().take(SHOWN).map(|(a, b)| format!("{a}-{b}")).collect();
            self.say(Text::VerifyMissing { rows: rows.join(", ") });
        }
        self.first = verdict.breaks.first().map(|b| b.seq);
        self.broken += verdict.broken;
        let ranges = ranges(&verdict.breaks);
        for (rows, _, rule) in ranges.iter().take(SHOWN) {
            self.say(Text::VerifyBreak { rows: rows.clone(), what: rule_words(rule).say(self.language) });
        }
        let shown: u64 = ranges.iter().take(SHOWN).map(|(_, n, _)| n).sum();
        if verdict.broken > shown {
            self.say(Text::VerifyMore { more: verdict.broken - shown });
        }
    }

    /// The database of the state folder.
    fn log(&mut self, dir: &Path) -> Result<(), Failure> {
        let language = self.language;
        let failed = |e: LogError| Failure::Failed(e.text().say(language));
        let path = dir.join(FILE_NAME);
        let beside = AiringLog::head_beside(&path);
        let log = AiringLog::open_read_only(&path).map_err(failed)?;
        let head = log.head().map_err(failed)?;
        let bar = progress::bar(head.seq, 20_000, Text::VerifyProgress {}.say(self.language));
        let mut checker = Checker::of_a_log();
        let mut said = Indexed::default();
        // The file's pages are gone through meanwhile, over a connection of its own.
        let (read, pages) = std::thread::scope(|scope| {
            let pages = scope.spawn(|| {
                let log = AiringLog::open_read_only(&path)?;
                log.quick_check()
            });
            let read = examine_all(&mut checker, |send| {
                log.for_each_raw::<Stop>(|row| {
                    if row.seq.is_multiple_of(1024) {
                        bar.set_position(row.seq);
                    }
                    said.row(&row);
                    send(row.body, Some(&row));
                    Ok(())
                })
            });
            (read, pages.join())
        });
        bar.finish_and_clear();
        // Rows on a page that cannot be read any more: what could be read is judged, the rest is a finding.
        if let Err(Stop(error)) = read {
            self.broken(Text::VerifyDatabase { what: error.to_string() });
        }
        match log.noted_head() {
            Ok(None) if checker.tally().rows == 0 => {}
            Ok(Some(noted))
                if Some(noted.seq) == checker.tally().last_seq && Some(noted.head) == checker.tally().head => {}
            Ok(_) if checker.broken() > 0 => {}
            _ => checker.tail_is_cut(),
        }
        // The note in a file of its own never leads.
        if let Some((log_id, noted)) = beside
            && log_id == log.log_id()
            && checker.broken() == 0
            && (Some(noted.seq) > checker.tally().last_seq
                || log.hash_at(noted.seq).ok().flatten().is_some_and(|hash| hash != noted.head))
        {
            checker.tail_is_cut();
        }
        let open: Vec<_> = log.sessions().map_err(failed)?.into_iter().map(|s| s.key).collect();
        let rows_are_right = checker.broken() == 0;
        self.verdict(checker.finish(open.iter().map(String::as_str)));
        match pages {
            Ok(Ok(found)) => found.into_iter().for_each(|what| self.broken(Text::VerifyDatabase { what })),
            Ok(Err(error)) => self.broken(Text::VerifyDatabase { what: error.to_string() }),
            Err(_) => self.broken(Text::VerifyDatabase { what: "quick_check".into() }),
        }
        match log.indexed() {
            // Where a row's own columns are wrong the indexes agree with neither.
            Ok(found) if found == Some(said) || !rows_are_right => {}
            Ok(_) => self.broken(Text::VerifyIndexes {}),
            Err(error) => self.broken(Text::VerifyDatabase { what: error.to_string() }),
        }
        match log.side_is_right().and_then(|side| Ok((side == Some(true), log.form_is_right()?))) {
            Ok((side, form)) => {
                if !side {
                    self.broken(Text::VerifySide {});
                }
                if !form {
                    self.broken(Text::VerifyForm {});
                }
            }
            Err(error) => self.broken(Text::VerifyDatabase { what: error.to_string() }),
        }
        let intents = log.intents().map_err(|e| Failure::Failed(e.text().say(self.language)))?.len() as u64;
        if intents > 0 {
            self.say(Text::VerifyIntents { intents });
        }
        Ok(())
    }

    /// The log against the heads that a web server has seen of it.
    fn witness(&mut self, context: &Context, dir: &Path, logs: &[PathBuf]) -> Result<(), Failure> {
        let language = self.language;
        let failed = |e: LogError| Failure::Failed(e.text().say(language));
        let log = AiringLog::open_read_only(&dir.join(FILE_NAME)).map_err(failed)?;
        let own: String = log.log_id().chars().take(8).collect();
        let named = log.last_row().map_err(failed)?;
        let name = |key: &str| named.as_ref().and_then(|r| r.body.get(key)?.as_str().map(str::to_owned));
        let this_box = name("station_id").zip(name("device_id"));
        // Of each row the first to see it, and of each other log of this box the last.
        let mut seen: BTreeMap<u64, BTreeMap<String, Wall>> = BTreeMap::new();
        let mut others: BTreeMap<String, (u64, Wall)> = BTreeMap::new();
        for path in logs {
            let each = |heard: Heard| {
                let Some(head) = heard.beat.head else { return };
                if head.log == own {
                    let at = seen.entry(head.seq).or_default().entry(head.hash).or_insert(heard.at);
                    *at = heard.at.min(*at);
                } else if this_box == Some((heard.beat.station, heard.beat.device)) {
                    let last = others.entry(head.log).or_insert((head.seq, heard.at));
                    *last = (head.seq, heard.at).max(*last);
                }
            };
            fleet::each_heard(path, each).map_err(|e| fleet::unreadable(context, path, &e))?;
        }
        let zone = Zone::default();
        for (log, (seq, at)) in others {
            self.say(Text::WitnessOther { log, seq, at: zone.rfc3339_seconds(at) });
        }
        if seen.is_empty() {
            self.say(Text::WitnessNothing {});
            return Ok(());
        }
        let (mut last, mut heads, mut wrong) = (0, 0, Vec::new());
        let read = log.for_each_raw::<Stop>(|row| {
            last = row.seq;
            for (hash, at) in seen.remove(&row.seq).into_iter().flatten() {
                if hex(row.hash).starts_with(&hash) && hash.len() >= 16 {
                    heads += 1;
                } else {
                    wrong.push(Text::WitnessDiffers { seq: row.seq, at: zone.rfc3339_seconds(at), seen: hash });
                }
            }
            Ok(())
        });
        if let Err(Stop(error)) = read {
            self.broken(Text::VerifyDatabase { what: error.to_string() });
        }
        let first = log.first_seq().map_err(|e| Failure::Failed(e.text().say(language)))?;
        // What was pruned with the years is no loss.
        for (seq, hashes) in seen.into_iter().filter(|(seq, _)| *seq >= first) {
            let at = hashes.into_values().min().unwrap_or_default();
            wrong.push(Text::WitnessBeyond { seq, at: zone.rfc3339_seconds(at), last });
        }
        if wrong.is_empty() {
            self.say(Text::WitnessFine { heads });
        }
        let more = wrong.len().saturating_sub(SHOWN) as u64;
        wrong.into_iter().take(SHOWN).for_each(|text| self.broken(text));
        if more > 0 {
            self.broken += more;
            self.say(Text::VerifyMore { more });
        }
        Ok(())
    }

    /// The log against the last row of an export made before: whoever cut off the tail cannot have cut it there.
    fn against(&mut self, dir: &Path, export: &Path) -> Result<(), Failure> {
        let language = self.language;
        let failed = |e: LogError| Failure::Failed(e.text().say(language));
        let file = export.display().to_string();
        let summary = last_line(export).ok().flatten().and_then(|line| Summary::read(&line));
        let known = summary.and_then(|s| Some((s.log_id, s.last_seq?, s.head?)));
        let Some((log_id, seq, head)) = known else {
            return Err(Failure::Failed(Text::VerifyNotAnExport { file }.say(language)));
        };
        let log = AiringLog::open_read_only(&dir.join(FILE_NAME)).map_err(failed)?;
        let found = log.hash_at(seq).map_err(failed)?;
        if log.log_id() == log_id && found.map(|h| hex(&h)) == Some(head) {
            self.say(Text::VerifyAgainst { file, seq });
        } else if log.log_id() == log_id && seq < log.first_seq().map_err(failed)? {
            self.say(Text::VerifyAgainstPruned { file, seq });
        } else {
            self.broken(Text::VerifyAgainstOther { file, seq });
        }
        Ok(())
    }

    /// Every stored clip against the hash in its name.
    fn clips(&mut self, folder: &Path) -> Result<(), Failure> {
        let mut clips: Vec<(PathBuf, [u8; 32], u64)> = Vec::new();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => {
                let (file, why) = (folder.display().to_string(), system_words(&e, self.language));
                return Err(Failure::Failed(Text::VerifyCannotRead { file, why }.say(self.language)));
            }
        };
        for path in entries.filter_map(Result::ok).map(|e| e.path()) {
            // Part files and whatever else lies there is nobody's evidence.
            let stem = path.file_stem().and_then(|s| s.to_str()).and_then(crate::domain::airing::unhex32);
            if let (Some(hash), Ok(meta)) = (stem, fs::metadata(&path))
                && meta.is_file()
                && path.extension().is_none_or(|e| e != "part")
            {
                clips.push((path, hash, meta.len()));
            }
        }
        clips.sort();
        let bytes: u64 = clips.iter().map(|(.., n)| n).sum();
        let bar = progress::bar(bytes, 50 << 20, Text::VerifyClipsProgress {}.say(self.language));
        let before = self.broken;
        for (path, expected, _) in &clips {
            let file = path.display().to_string();
            match hash_file(path, |n| bar.inc(n)) {
                Ok(found) if found == *expected => {}
                Ok(_) => self.broken(Text::VerifyClipBad { file }),
                Err(e) => {
                    let why = system_words(&e, self.language);
                    self.broken(Text::VerifyClipUnreadable { file, why });
                }
            }
        }
        bar.finish_and_clear();
        if self.broken == before && !clips.is_empty() {
            self.say(Text::VerifyClips { clips: clips.len() as u64, megabytes: bytes.div_ceil(1 << 20) });
        }
        self.say(Text::VerifyLocalClips {});
        Ok(())
    }

    /// An exported file.
    fn file(&mut self, path: &Path) -> Result<Option<Summary>, Failure> {
        let shown = path.display().to_string();
        let language = self.language;
        let cannot = |e: io::Error| {
            Failure::Failed(
                Text::VerifyCannotRead { file: shown.clone(), why: system_words(&e, language) }.say(language),
            )
        };
        let last = last_line(path).map_err(cannot)?.unwrap_or_default();
        let summary = Summary::read(&last);
        let file = fs::File::open(path).map_err(cannot)?;
        let bytes = file.metadata().map_or(0, |m| m.len());
        let bar = progress::bar(bytes, 20 << 20, Text::VerifyProgress {}.say(self.language));
        let mut lines = BufReader::with_capacity(128 * 1024, file);
        if lines.fill_buf().map_err(cannot)?.first().is_some_and(|first| *first != b'{') {
            return Err(Failure::Failed(Text::VerifyNotAnExport { file: shown }.say(self.language)));
        }
        let mut checker = Checker::new(summary.is_some());
        let mut summaries = 0u64;
        let mut done = 0u64;
        let mut line = Vec::new();
        examine_all(&mut checker, |send| -> Result<(), io::Error> {
            loop {
                line.clear();
                if lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
                    return Ok(());
                }
                done += line.len() as u64;
                bar.set_position(done);
                let row = line.strip_suffix(b"\n").unwrap_or(&line);
                if row.starts_with(b"{\"type\":\"summary\"") {
                    summaries += 1;
                } else {
                    send(row, None);
                }
            }
        })
        .map_err(cannot)?;
        bar.finish_and_clear();
        let tally = checker.tally().clone();
        let others = tally.sessions + tally.events > 0;
        match &summary {
            Some(summary) => {
                let open = summary.open_sessions.iter().map(String::as_str);
                self.verdict(checker.finish(open));
                let right = [
                    ("count", summary.count == tally.rows),
                    ("first_seq", summary.first_seq == tally.first_seq),
                    ("last_seq", summary.last_seq == tally.last_seq),
                    ("head", summary.head == tally.head.map(|h| hex(&h))),
                    ("summary", summaries == 1),
                    ("hash", Summary::is_unchanged(&last)),
                ];
                for (field, _) in right.into_iter().filter(|(_, right)| !right) {
                    self.broken(Text::VerifySummary { field: field.into() });
                }
            }
            None => {
                self.each = true;
                self.verdict(checker.finish([]));
                // Session and event rows only come with `--chain`.
                if summaries > 0 {
                    // It is there and cannot be read, or others stand behind it.
                    self.broken(Text::VerifySummary { field: "summary".into() });
                } else if others {
                    self.broken(Text::VerifyNoSummary {});
                }
            }
        }
        Ok(summary)
    }

    /// The signature beside an exported file, made by the box that exported it.
    fn signature(&mut self, path: &Path, key: Option<&Path>, summary: Option<&Summary>) -> Result<(), Failure> {
        let beside = signature_of(path);
        let shown = beside.display().to_string();
        let signature = match (fs::read_to_string(&beside), key) {
            (Ok(_), None) => {
                self.say(Text::VerifySignatureUnchecked { file: shown });
                return Ok(());
            }
            (Err(_), None) => return Ok(()),
            (Err(error), Some(_)) if error.kind() == io::ErrorKind::NotFound => {
                self.broken(Text::VerifyNoSignature { file: shown });
                return Ok(());
            }
            (Err(error), Some(_)) => {
                self.broken(Text::VerifySignatureBad { file: shown, why: system_words(&error, self.language) });
                return Ok(());
            }
            (Ok(text), Some(_)) => text,
        };
        let key_file = key.unwrap_or(path);
        let file = || key_file.display().to_string();
        let failed = |text: Text| Failure::Failed(text.say(self.language));
        let text = fs::read_to_string(key_file).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => failed(Text::VerifyKeyGarbled { file: file() }),
            _ => failed(Text::VerifyKeyUnreadable { file: file(), why: system_words(&e, self.language) }),
        })?;
        let line = text.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or_default();
        let key = PublicKey::from_base64(line).map_err(|_| failed(Text::VerifyKeyGarbled { file: file() }))?;
        match check_signature(path, (&signature, &shown), &key, self.language) {
            Err(finding) => self.broken(finding),
            Ok(words) => {
                let said = |name: &str| {
                    let found = words.split(' ').find_map(|w| w.strip_prefix(name)?.strip_prefix('='));
                    found.unwrap_or("-").to_owned()
                };
                let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
                if let Some(s) = summary {
                    let fields = [
                        ("log_id", s.log_id.clone()),
                        ("first_seq", number(s.first_seq)),
                        ("last_seq", number(s.last_seq)),
                        ("head", s.head.clone().unwrap_or_else(|| "-".into())),
                    ];
                    for (name, _) in fields.into_iter().filter(|(name, value)| said(name) != *value) {
                        self.broken(Text::VerifySignedOther { field: name.into() });
                    }
                }
                let key = line.chars().take(12).collect::<String>() + "...";
                self.say(Text::VerifySigned { key, words });
            }
        }
        Ok(())
    }
}

/// The words signed with a file, when the signature is right.
/// The signed comment, or what is wrong.
fn check_signature(
    path: &Path,
    (signature, shown): (&str, &str),
    key: &PublicKey,
    language: Language,
) -> Result<String, Text> {
    let file = shown.to_owned();
    let unread = |e: io::Error| Text::VerifySignatureBad { file: shown.to_owned(), why: system_words(&e, language) };
    let signature =
        Signature::decode(signature).map_err(|_| Text::VerifySignatureGarbled { file: shown.to_owned() })?;
    let mut verifier = key.verify_stream(&signature).map_err(|e| match e {
        minisign_verify::Error::UnexpectedKeyId => Text::VerifySignatureOtherKey { file: shown.to_owned() },
        _ => Text::VerifySignatureGarbled { file: shown.to_owned() },
    })?;
    let mut signed = fs::File::open(path).map_err(unread)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match signed.read(&mut buffer).map_err(unread)? {
            0 => break,
            n => verifier.update(&buffer[..n]),
        }
    }
    verifier.finalize().map_err(|_| Text::VerifySignatureChanged { file })?;
    Ok(signature.trusted_comment().to_owned())
}

struct Stop(LogError);

impl From<LogError> for Stop {
    fn from(error: LogError) -> Stop {
        Stop(error)
    }
}

/// Rows on their way to a thread that looks at them: their bytes in one piece, so that a row costs no memory of its own.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Piece>,
}

/// Where something stands in a batch's bytes.
type Place = std::ops::Range<usize>;

struct Piece {
    body: Place,
    columns: Option<Columns>,
}

/// What the database keeps beside a row.
struct Columns {
    seq: u64,
    /// Nothing stands for columns of a wrong type: no row agrees with it.
    index: KeptIndex,
    hash: Place,
}

/// An [`Index`] whose words stand in a batch's bytes.
#[derive(Default)]
struct KeptIndex {
    row_type: Place,
    airing_id: Option<Place>,
    event: Option<Place>,
    planned_at_ms: Option<i64>,
    session_start_ms: Option<i64>,
}

impl Batch {
    fn keep(&mut self, bytes: &[u8]) -> Place {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        from..self.bytes.len()
    }

    fn push(&mut self, body: &[u8], row: Option<&RawRow<'_>>) {
        let body = self.keep(body);
        let columns = row.map(|row| Columns {
            seq: row.seq,
            index: row.index.as_ref().map_or_else(KeptIndex::default, |i| KeptIndex {
                row_type: self.keep(i.row_type.as_bytes()),
                airing_id: i.airing_id.as_ref().map(|id| self.keep(id.as_bytes())),
                event: i.event.as_ref().map(|event| self.keep(event.as_bytes())),
                planned_at_ms: i.planned_at_ms,
                session_start_ms: i.session_start_ms,
            }),
            hash: self.keep(row.hash),
        });
        self.rows.push(Piece { body, columns });
    }

    fn is_full(&self) -> bool {
        self.rows.len() == BATCH || self.bytes.len() >= BATCH_BYTES
    }

    fn examine(&self, scratch: &mut Scratch) -> Vec<Examined> {
        // Not UTF-8: no row, whatever it once was.
        let text = |place: &Place| std::str::from_utf8(&self.bytes[place.clone()]).unwrap_or("");
        let examine = |piece: &Piece| {
            let columns = piece.columns.as_ref().map(|columns| {
                let kept = &columns.index;
                let index = Index {
                    row_type: text(&kept.row_type).into(),
                    airing_id: kept.airing_id.as_ref().map(|p| text(p).into()),
                    event: kept.event.as_ref().map(|p| text(p).into()),
                    planned_at_ms: kept.planned_at_ms,
                    session_start_ms: kept.session_start_ms,
                };
                (columns.seq, index, &self.bytes[columns.hash.clone()])
            });
            examine(text(&piece.body), columns.as_ref().map(|(seq, index, hash)| (*seq, index, *hash)), scratch)
        };
        self.rows.iter().map(examine).collect()
    }
}

/// Where batches go in, and come out of a thread with what was found.
type Worker = (SyncSender<Batch>, Receiver<(Batch, Vec<Examined>)>);

/// Has every row that `read` sends looked at on other threads, and hands what is found to the checker in the order of
/// sending.
fn examine_all<E>(
    checker: &mut Checker,
    read: impl FnOnce(&mut dyn FnMut(&[u8], Option<&RawRow<'_>>)) -> Result<(), E>,
) -> Result<(), E> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).clamp(1, 4);
    std::thread::scope(|scope| {
        let workers: Vec<Worker> = (0..threads)
            .map(|_| {
                let (send, batches) = sync_channel::<Batch>(2);
                let (found, receive) = sync_channel(4);
                scope.spawn(move || {
                    let mut scratch = Scratch::default();
                    for batch in batches {
                        let examined = batch.examine(&mut scratch);
                        if found.send((batch, examined)).is_err() {
                            return;
                        }
                    }
                });
                (send, receive)
            })
            .collect();
        // Which worker has the next result: batches go round.
        let mut under_way: VecDeque<usize> = VecDeque::new();
        let mut next = 0;
        let mut batch = Batch::default();
        // Used again, so that memory stays what a few batches need.
        let mut spare: Vec<Batch> = Vec::new();
        let take = |checker: &mut Checker, worker: usize| {
            let (mut batch, examined) = workers[worker].1.recv().unwrap_or_default();
            examined.into_iter().for_each(|row| checker.take(row));
            batch.bytes.clear();
            batch.rows.clear();
            batch
        };
        let result = read(&mut |body, row| {
            batch.push(body, row);
            if batch.is_full() {
                let full = std::mem::replace(&mut batch, spare.pop().unwrap_or_default());
                let _ = workers[next].0.send(full);
                under_way.push_back(next);
                next = (next + 1) % threads;
                if under_way.len() > 2 * threads
                    && let Some(oldest) = under_way.pop_front()
                {
                    spare.push(take(checker, oldest));
                }
            }
        });
        let _ = workers[next].0.send(batch);
        under_way.push_back(next);
        for worker in under_way {
            take(checker, worker);
        }
        result
    })
}

/// Findings of one rule in rows one after another, as `12-15`; how many each stands for.
fn ranges(breaks: &[Break]) -> Vec<(String, u64, Rule)> {
    let mut out: Vec<(u64, u64, u64, Rule)> = Vec::new();
    for b in breaks {
        match out.last_mut() {
            Some((_, last, n, rule)) if *last + 1 == b.seq && *rule == b.rule => {
                *last = b.seq;
                *n += 1;
            }
            _ => out.push((b.seq, b.seq, 1, b.rule.clone())),
        }
    }
    let text = |a: u64, b: u64| if a == b { a.to_string() } else { format!("{a}-{b}") };
    out.into_iter().map(|(a, b, n, rule)| (text(a, b), n, rule)).collect()
}

fn rule_words(rule: &Rule) -> Text {
    match rule {
        Rule::Unreadable => Text::RuleUnreadable {},
        Rule::Column => Text::RuleColumn {},
        Rule::Number { expected } => Text::RuleNumber { expected: *expected },
        Rule::Hash => Text::RuleHash {},
        Rule::Link => Text::RuleLink {},
        Rule::OtherLog => Text::RuleOtherLog {},
        Rule::Pair => Text::RulePair {},
        Rule::Contradiction => Text::RuleContradiction {},
        Rule::Twice => Text::RuleTwice {},
        Rule::NoOutcome { item } => Text::RuleNoOutcome { item: *item },
        Rule::OtherThanPlanned => Text::RuleOtherThanPlanned {},
        Rule::Tail => Text::RuleTail {},
    }
}

fn hash_file(path: &Path, mut read: impl FnMut(u64)) -> io::Result<[u8; 32]> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            n => {
                hasher.update(&buffer[..n]);
                read(n as u64);
            }
        }
    }
}

/// The last line of a file, when it is short enough to be a summary.
pub(super) fn last_line(path: &Path) -> io::Result<Option<String>> {
    use std::io::{Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(1 << 20)))?;
    let mut tail = Vec::new();
    file.take(1 << 20).read_to_end(&mut tail)?;
    let tail = tail.strip_suffix(b"\n").unwrap_or(&tail);
    let line = tail.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    Ok(std::str::from_utf8(line).ok().map(str::to_owned))
}
