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
use crate::domain::chain::{Break, Checker, Examined, Index, Rule, Verdict, examine};
use crate::domain::config::Language;
use crate::domain::heartbeat::Heard;
use crate::domain::report::Summary;
use crate::domain::text::Text;
use crate::domain::time::{Wall, Zone};
use crate::edge::airing_log::{AiringLog, FILE_NAME, LogError, RawRow};

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
    /// Nhật ký truy cập của máy chủ web: đối chiếu nhật ký của máy này với các dấu máy chủ đã ghi (access logs of the
    /// web server, as an outside witness of this box's log)
    #[arg(long, value_name = "ACCESS.LOG", conflicts_with = "file")]
    witness: Vec<PathBuf>,
    #[command(flatten)]
    station: Station,
}

/// Rows handed over at once.
const BATCH: usize = 512;
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
        let log = AiringLog::open_read_only(&dir.join(FILE_NAME)).map_err(failed)?;
        let head = log.head().map_err(failed)?;
        let bar = progress::bar(head.seq, 20_000, Text::VerifyProgress {}.say(self.language));
        let mut checker = Checker::of_a_log();
        let read = examine_all(&mut checker, |send| {
            log.for_each_raw::<Stop>(|row| {
                if row.seq.is_multiple_of(1024) {
                    bar.set_position(row.seq);
                }
                send(Piece::of(&row));
                Ok(())
            })
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
        let open: Vec<_> = log.sessions().map_err(failed)?.into_iter().map(|s| s.key).collect();
        self.verdict(checker.finish(open.iter().map(String::as_str)));
        match log.quick_check() {
            Ok(found) => found.into_iter().for_each(|what| self.broken(Text::VerifyDatabase { what })),
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

    /// Every stored clip against the hash in its name.
    fn clips(&mut self, folder: &Path) -> Result<(), Failure> {
        let mut clips: Vec<(PathBuf, [u8; 32], u64)> = Vec::new();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => {
                let (file, why) = (folder.display().to_string(), e.to_string());
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
                Err(e) => self.broken(Text::VerifyClipUnreadable { file, why: e.to_string() }),
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
            Failure::Failed(Text::VerifyCannotRead { file: shown.clone(), why: e.to_string() }.say(language))
        };
        let summary = last_line(path).map_err(cannot)?.and_then(|line| serde_json::from_str::<Summary>(&line).ok());
        let summary = summary.filter(|s| s.row_type == "summary");
        let file = fs::File::open(path).map_err(cannot)?;
        let bytes = file.metadata().map_or(0, |m| m.len());
        let bar = progress::bar(bytes, 20 << 20, Text::VerifyProgress {}.say(self.language));
        let mut lines = BufReader::with_capacity(256 * 1024, file);
        let mut first = [0];
        if lines.read(&mut first).map_err(cannot)? > 0 && first[0] != b'{' {
            return Err(Failure::Failed(Text::VerifyNotAnExport { file: shown }.say(self.language)));
        }
        let mut carry = first[..usize::from(bytes > 0)].to_vec();
        let mut checker = Checker::new(summary.is_some());
        let mut summaries = 0u64;
        let mut done = 0u64;
        examine_all(&mut checker, |send| -> Result<(), io::Error> {
            loop {
                let mut line = std::mem::take(&mut carry);
                let read = lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
                if read == 0 && line.is_empty() {
                    return Ok(());
                }
                done += line.len() as u64;
                bar.set_position(done);
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                if line.starts_with(b"{\"type\":\"summary\"") {
                    summaries += 1;
                } else {
                    send(Piece { body: line, columns: None });
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
                ];
                for (field, _) in right.into_iter().filter(|(_, right)| !right) {
                    self.broken(Text::VerifySummary { field: field.into() });
                }
            }
            None => {
                self.each = true;
                self.verdict(checker.finish([]));
                // Session and event rows only come with `--chain`.
                if others {
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
                self.broken(Text::VerifySignatureBad { file: shown, why: error.to_string() });
                return Ok(());
            }
            (Ok(text), Some(_)) => text,
        };
        let key_file = key.unwrap_or(path);
        let unreadable = |why: String| {
            let file = key_file.display().to_string();
            Failure::Failed(Text::VerifyKeyUnreadable { file, why }.say(self.language))
        };
        let text = fs::read_to_string(key_file).map_err(|e| unreadable(e.to_string()))?;
        let line = text.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or_default();
        let key = PublicKey::from_base64(line).map_err(|e| unreadable(e.to_string()))?;
        match check_signature(path, &signature, &key) {
            Err(why) => self.broken(Text::VerifySignatureBad { file: shown, why }),
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
fn check_signature(path: &Path, signature: &str, key: &PublicKey) -> Result<String, String> {
    let signature = Signature::decode(signature).map_err(|e| e.to_string())?;
    let mut verifier = key.verify_stream(&signature).map_err(|e| e.to_string())?;
    let mut file = fs::File::open(path).map_err(|e| e.to_string())?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(|e| e.to_string())? {
            0 => break,
            n => verifier.update(&buffer[..n]),
        }
    }
    verifier.finalize().map_err(|e| e.to_string())?;
    Ok(signature.trusted_comment().to_owned())
}

struct Stop(LogError);

impl From<LogError> for Stop {
    fn from(error: LogError) -> Stop {
        Stop(error)
    }
}

/// A row on its way to a thread that looks at it.
struct Piece {
    body: Vec<u8>,
    columns: Option<(u64, Option<Index<'static>>, Vec<u8>)>,
}

impl Piece {
    fn of(row: &RawRow<'_>) -> Piece {
        let own = |c: &std::borrow::Cow<'_, str>| std::borrow::Cow::Owned(c.to_string());
        let index = row.index.as_ref().map(|i| Index {
            row_type: own(&i.row_type),
            airing_id: i.airing_id.as_ref().map(own),
            event: i.event.as_ref().map(own),
            planned_at_ms: i.planned_at_ms,
            session_start_ms: i.session_start_ms,
        });
        Piece { body: row.body.to_vec(), columns: Some((row.seq, index, row.hash.to_vec())) }
    }

    fn examine(&self, scratch: &mut String) -> Examined {
        // Not UTF-8: no row, whatever it once was.
        let text = std::str::from_utf8(&self.body).unwrap_or("");
        let none =
            Index { row_type: "".into(), airing_id: None, event: None, planned_at_ms: None, session_start_ms: None };
        let columns =
            self.columns.as_ref().map(|(seq, index, hash)| (*seq, index.as_ref().unwrap_or(&none), hash.as_slice()));
        examine(text, columns, scratch)
    }
}

/// Where batches go in and findings come out of a thread.
type Worker = (SyncSender<Vec<Piece>>, Receiver<Vec<Examined>>);

/// Has every piece that `read` sends looked at on other threads, and hands what is found to the checker in the
/// order of sending.
fn examine_all<E>(checker: &mut Checker, read: impl FnOnce(&mut dyn FnMut(Piece)) -> Result<(), E>) -> Result<(), E> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).clamp(1, 4);
    std::thread::scope(|scope| {
        let workers: Vec<Worker> = (0..threads)
            .map(|_| {
                let (send, pieces) = sync_channel::<Vec<Piece>>(2);
                let (found, receive) = sync_channel(4);
                scope.spawn(move || {
                    let mut scratch = String::new();
                    for batch in pieces {
                        let examined: Vec<_> = batch.iter().map(|p| p.examine(&mut scratch)).collect();
                        if found.send(examined).is_err() {
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
        let mut batch = Vec::with_capacity(BATCH);
        let take = |checker: &mut Checker, worker: usize| {
            for row in workers[worker].1.recv().into_iter().flatten() {
                checker.take(row);
            }
        };
        let result = read(&mut |piece| {
            batch.push(piece);
            if batch.len() == BATCH {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                let _ = workers[next].0.send(full);
                under_way.push_back(next);
                next = (next + 1) % threads;
                if under_way.len() > 2 * threads
                    && let Some(oldest) = under_way.pop_front()
                {
                    take(checker, oldest);
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
