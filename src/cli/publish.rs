//! `loaxa publish`: from `playlist.toml` and audio files to the signed folder that any web server can serve.

mod known;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use minisign::PublicKey;

use self::known::Known;
use crate::cli::keys::{self, Complete};
use crate::cli::{Context, Done, Failure, keygen};
use crate::daemon::clock::MachineClock;
use crate::domain::document::{self, Value};
use crate::domain::fields::{match_name, nearest};
use crate::domain::findings::{Finding, Severity};
use crate::domain::keyring::{Keyring, peek_version};
use crate::domain::loudness::{self, TARGET_LUFS};
use crate::domain::playlist::{Clip, Form, List, read_list};
use crate::domain::publication::{self, Facts, Head, overview};
use crate::domain::signature::{self, Keys, LONGEST_LIFE_DAYS, Standing, ending_of};
use crate::domain::text::{Text, length_words};
use crate::domain::time::{Clock, DAY_MS, Wall, Zone, parse_duration_ms};
use crate::edge::clip_store::Measured;
use crate::edge::published::{self, FolderError, PublishedFolder};

/// Shown below the help.
pub const EXAMPLE: &str = "Ví dụ (example):
  loaxa publish chien-dich --key khoa-tinh.key --out /srv/www/loaxa
    chien-dich/playlist.toml và các tệp âm thanh bên cạnh; đưa nguyên thư mục OUT lên máy chủ web
    (playlist.toml and the audio files beside it; put the whole folder OUT on the web server)";

/// The hand-written list's file name.
const WRITTEN: &str = "playlist.toml";
/// A key that ends within this time draws a word, in milliseconds.
const KEY_ENDS_SOON_MS: i64 = 30 * DAY_MS;
/// That of an urgent list.
const URGENT_WRITTEN: &str = "urgent.toml";

/// What `publish` is told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Thư mục có playlist.toml và tệp âm thanh (folder of playlist.toml and audio)
    dir: PathBuf,
    /// Phát hành tin khẩn: đọc DIR/urgent.toml (emergencies, withdrawals, clips), ghi urgent.json (an urgent list)
    #[arg(long)]
    urgent: bool,
    /// Khóa ký do `loaxa keygen` hoặc minisign tạo (secret key)
    #[arg(long, value_name = "NAME.key")]
    key: PathBuf,
    /// Thư mục keys.json đã đủ chữ ký của khóa gốc (folder of `loaxa keys`)
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Thư mục phát hành (folder to publish into)
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    /// Danh sách có hiệu lực bao lâu, nhiều nhất 100 ngày (how long the list holds)
    #[arg(long, default_value = "31d", value_name = "31d")]
    expires: String,
    /// Số thứ tự lớn hơn N, khi thư mục OUT cũ đã mất (a serial above N)
    #[arg(long, value_name = "N")]
    serial: Option<u64>,
    /// Mức âm lượng chuẩn, LUFS (target loudness)
    #[arg(long, default_value_t = TARGET_LUFS, value_name = "LUFS", allow_negative_numbers = true)]
    loudness: f64,
    /// Địa chỉ playlist.json trên máy chủ web, ghi vào source.toml (where playlist.json will be served)
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Decodes a clip whole and measures it. Handed in: this command knows no decoder.
pub(super) type Measure<'a> = dyn Fn(&Path) -> Result<Measured, Text> + 'a;

/// A clip with its file, checked and measured.
struct Ready {
    from: PathBuf,
    ending: &'static str,
    facts: Facts,
}

/// Checks, measures, signs and writes.
pub(super) fn run(context: &Context, arguments: &Arguments, measure: &Measure) -> Done {
    let say = |text: Text| text.say(context.language);
    let failed = |text: Text| Failure::Failed(say(text));
    let life_ms = parse_duration_ms(&arguments.expires)
        .filter(|ms| (1..=LONGEST_LIFE_DAYS * DAY_MS).contains(ms))
        .ok_or_else(|| {
            let text = arguments.expires.clone();
            Failure::Usage(say(Text::PublishLife { text, most: LONGEST_LIFE_DAYS }))
        })?;
    if !(-40.0..=loudness::LOUDEST_LUFS).contains(&arguments.loudness) {
        return Err(Failure::Usage(say(Text::PublishLoudness { lufs: arguments.loudness.to_string() })));
    }

    let written = if arguments.urgent { URGENT_WRITTEN } else { WRITTEN };
    let (bytes, list) = read_written(context, &arguments.dir.join(written), arguments.urgent)?;
    let (secret, public) = keygen::read_secret(context, &arguments.key)?;
    let (list_folder, urgent_folder) =
        (PublishedFolder::at(&arguments.out), PublishedFolder::at(&arguments.out).urgent());
    let (folder, beside) = if arguments.urgent { (urgent_folder, list_folder) } else { (list_folder, urgent_folder) };
    let (before, beside) = (last(context, &folder)?, last(context, &beside)?);
    let keys = keys_for(context, arguments, &list, &PublishedFolder::at(&arguments.out))?;
    if let Some(keys) = &keys {
        // Before minutes go into measuring: a signature over nothing shows what the key is worth.
        let nothing = minisign::sign(Some(&public), &secret, &b""[..], None, None);
        let nothing = nothing.map_err(|e| Failure::Failed(e.to_string()))?.to_string();
        judge_key(context, &keys.ring, &public, &nothing, MachineClock::plain().now().wall())?;
    }
    let clips = ready_clips(context, arguments, &list, measure)?;

    let zone = Zone::default();
    let issued_at = MachineClock::plain().now().wall();
    let last_serial = before.as_ref().map(|b| b.serial);
    let serial = publication::next_serial(last_serial, arguments.serial)
        .filter(|s| i64::try_from(*s).is_ok())
        .ok_or_else(|| failed(Text::PublishSerialsOver {}))?;
    let head = Head { serial, issued_at, expires_at: issued_at + life_ms, zone, urgent: arguments.urgent };
    let text = String::from_utf8_lossy(&bytes);
    let (root, _) = document::read_toml(&text);
    let Value::Table(root) = &root.value else { return Err(failed(Text::WantObject {})) };
    let facts: Vec<Facts> = clips.iter().map(|c| c.facts.clone()).collect();
    let body = publication::document(root, &facts, &head);
    let comment = format!("timestamp:{}\tfile:{}\thashed", issued_at.0 / 1000, published::LIST);
    let words = Some("signature from minisign secret key");
    let signature = minisign::sign(Some(&public), &secret, body.as_bytes(), Some(&comment), words)
        .map_err(|e| Failure::Failed(e.to_string()))?
        .to_string();
    judge_as_a_station(context, &list, &body, &signature, &public, arguments.urgent)?;

    for clip in &clips {
        folder.put_clip(&clip.from, &clip.facts.sha256, clip.ending).map_err(|e| failed(e.text()))?;
    }
    if let Some(keys) = &keys {
        put_keys(&folder, keys).map_err(|e| failed(e.text()))?;
    }
    if !arguments.urgent {
        let block = source_block(&list, &public, keys.as_ref().map(|k| &k.ring), arguments.url.as_deref());
        folder.put_text("source.toml", &block).map_err(|e| failed(e.text()))?;
    }
    folder.put_list(body.as_bytes(), signature.as_bytes()).map_err(|e| failed(e.text()))?;
    let kept = |sha256: &str| {
        let old = before.iter().chain(&beside).any(|b| b.clips.iter().any(|c| c == sha256));
        old || facts.iter().any(|f| f.sha256 == sha256)
    };
    folder.sweep(&kept).map_err(|e| failed(e.text()))?;
    println!("{}", table(context, &list, &facts));
    let total_ms: i64 = facts.iter().map(|f| f.duration_ms).sum();
    let mut files: Vec<&Facts> = facts.iter().collect();
    files.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    files.dedup_by(|a, b| a.sha256 == b.sha256);
    let megabytes = files.iter().map(|f| f.bytes).sum::<u64>() as f64 / 1e6;
    println!(
        "{}",
        say(Text::Published {
            source: list.source.as_deref().unwrap_or_default().into(),
            serial,
            clips: clips.len(),
            length: length_words(total_ms, context.language),
            megabytes: format!("{megabytes:.1}"),
            until: zone.rfc3339_seconds(head.expires_at),
            out: arguments.out.display().to_string(),
        })
    );
    for text in overview(context, &body, before.as_ref(), &public, &head) {
        println!("{}", say(text));
    }
    Ok(ExitCode::SUCCESS)
}

/// What changes against the list before, and what the list brings a day.
fn overview(context: &Context, body: &str, before: Option<&Before>, public: &PublicKey, head: &Head) -> Vec<Text> {
    let after = serde_json::from_str(body).unwrap_or_default();
    let mut lines = match before {
        Some(before) => overview::changes(&before.list, &after, context.language),
        None => vec![Text::PublishFirst {}],
    };
    // What is urgent has no sessions and no quota.
    if !head.urgent
        && let Some(list) = read_list(body.as_bytes(), Form::Published).value
    {
        let (list, life) = (Arc::new(list), (head.issued_at, head.expires_at));
        let station = any_station(&list).to_owned();
        lines.extend(overview::airtime(&list, &station, &public.to_base64(), life, context.language));
    }
    lines
}

/// Reads the hand-written list; says everything that was found.
fn read_written(context: &Context, path: &Path, urgent: bool) -> Result<(Vec<u8>, List), Failure> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| {
        Failure::Failed(Text::StoreIo { path: shown.clone(), cause: e.to_string() }.say(context.language))
    })?;
    let reading = read_list(&bytes, Form::Handwritten);
    let text = document::shown(&bytes);
    // What an urgent list withdraws stands in the source's list.
    let elsewhere = |f: &Finding| urgent && f.severity == Severity::Warning && f.code == "unknown_ref";
    for finding in reading.findings.iter().filter(|f| !elsewhere(f)) {
        eprintln!("{}", finding.render(&shown, &text, context.language));
    }
    let errors = reading.findings.iter().filter(|f| f.severity == Severity::Error).count();
    match reading.value {
        Some(list) => Ok((bytes, list)),
        None => Err(Failure::Failed(Text::PublishRefused { errors }.say(context.language))),
    }
}

struct Before {
    serial: u64,
    clips: Vec<String>,
    list: serde_json::Value,
}

/// The list published there last. One that cannot be read stops everything: a new beginning at serial 1 would be
/// refused by every station.
fn last(context: &Context, folder: &PublishedFolder) -> Result<Option<Before>, Failure> {
    let read = folder.read().map_err(|e| Failure::Failed(e.text().say(context.language)))?;
    let Some(read) = read else { return Ok(None) };
    let value: Option<serde_json::Value> = serde_json::from_slice(&read.list).ok();
    let serial = value.as_ref().and_then(|v| v.get("serial")?.as_u64());
    let (Some(list), Some(serial)) = (value, serial) else {
        let path = folder.path_of(published::LIST).display().to_string();
        return Err(Failure::Failed(Text::PublishLastUnreadable { path }.say(context.language)));
    };
    let clips = (list.get("clips").and_then(|clips| clips.as_array()))
        .into_iter()
        .flatten()
        .filter_map(|c| c.get("sha256")?.as_str().map(str::to_owned))
        .collect();
    Ok(Some(Before { serial, clips, list }))
}

/// Finds, hashes and measures every clip's file. All that is wrong is said at once.
fn ready_clips(
    context: &Context,
    arguments: &Arguments,
    list: &List,
    measure: &Measure,
) -> Result<Vec<Ready>, Failure> {
    let bar = progress(list.clips.len() as u64);
    let (mut ready, mut errors) = (Vec::new(), 0);
    let mut known = Known::of(&arguments.dir);
    for clip in &list.clips {
        bar.set_message(clip.title.to_string());
        match ready_clip(context, arguments, clip, (&mut known, measure), &bar) {
            Ok(clip) => ready.push(clip),
            Err(text) => {
                errors += 1;
                bar.suspend(|| eprintln!("{}: {}", clip.id, text.say(context.language)));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    known.keep();
    if errors > 0 {
        return Err(Failure::Failed(Text::PublishRefused { errors }.say(context.language)));
    }
    Ok(ready)
}

fn ready_clip(
    context: &Context,
    arguments: &Arguments,
    clip: &Clip,
    (known, measure): (&mut Known, &Measure),
    bar: &ProgressBar,
) -> Result<Ready, Text> {
    let name = clip.file.as_deref().unwrap_or_default();
    let from = find(&arguments.dir, name)?;
    let ending = ending_of(name).ok_or_else(|| Text::ClipEndingUnknown { id: clip.id.to_string() })?;
    let (sha256, bytes) = published::hash_of(&from)
        .map_err(|e| Text::StoreIo { path: from.display().to_string(), cause: e.to_string() })?;
    let measured = known.measured(&sha256, &from, measure)?;
    let (gain_db, warning) = publication::gain_db(&clip.title, measured.heard(), clip.gain_db, arguments.loudness);
    // Every station would refuse the list for it.
    if let Some(objection) = loudness::objection(&clip.title, measured.heard(), gain_db, loudness::PUBLISHED) {
        return Err(objection);
    }
    for warning in publication::clipping(&clip.title, measured.heard()).into_iter().chain(warning) {
        bar.suspend(|| eprintln!("{}: {}", clip.id, warning.say(context.language)));
    }
    let url = format!("{}/{sha256}.{ending}", published::CLIPS);
    Ok(Ready { from, ending, facts: Facts { sha256, bytes, duration_ms: measured.duration_ms, gain_db, url } })
}

/// A file beside the list, with its marks stored either way.
fn find(dir: &Path, name: &str) -> Result<PathBuf, Text> {
    let mut path = dir.to_owned();
    for part in name.split('/') {
        let next = path.join(part);
        if next.exists() {
            path = next;
            continue;
        }
        let names: Vec<String> = std::fs::read_dir(&path)
            .map(|entries| entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect())
            .unwrap_or_default();
        match match_name(names.iter().map(String::as_str), part) {
            Some(found) => path.push(found),
            None => {
                let audio = names.iter().map(String::as_str).filter(|n| ending_of(n).is_some());
                let near = nearest(part, audio).unwrap_or("-").to_owned();
                return Err(Text::PublishNoFile { file: name.into(), dir: path.display().to_string(), near });
            }
        }
    }
    Ok(path)
}

/// One of the stations it is meant for; any when it is for all.
fn any_station(list: &List) -> &str {
    let named = list.stations.as_ref().and_then(|s| s.first()).map_or("", String::as_str);
    let group = list.groups.iter().find(|g| g.name == named).and_then(|g| g.stations.first());
    group.map_or(named, String::as_str)
}

/// What stations would refuse is not published.
fn judge_as_a_station(
    context: &Context,
    list: &List,
    body: &str,
    signature: &str,
    public: &PublicKey,
    urgent: bool,
) -> Result<(), Failure> {
    let source = list.source.as_deref().unwrap_or_default();
    let station = any_station(list);
    let keys = Keys::parse(source, &[public.to_base64()]);
    keys.and_then(|keys| signature::reread(body.as_bytes(), signature.as_bytes(), &keys, source, station, urgent))
        .map(|_| ())
        .map_err(|refusal| Failure::Failed(refusal.text(context.language).say(context.language)))
}

/// The keys that go with the list, where there are root keys: those of `--keys`, else those published before.
fn keys_for(
    context: &Context,
    arguments: &Arguments,
    list: &List,
    out: &PublishedFolder,
) -> Result<Option<Complete>, Failure> {
    let failed = |text: Text| Failure::Failed(text.say(context.language));
    let published = keys::complete(context, out)?;
    let Some(dir) = &arguments.keys else {
        if published.is_none() && out.keys().map_err(|e| failed(e.text()))?.is_some() {
            return Err(failed(Text::PublishKeysGone { dir: arguments.out.display().to_string() }));
        }
        return Ok(published);
    };
    let shown = || dir.display().to_string();
    let folder = PublishedFolder::at(dir);
    let ours = keys::complete(context, &folder)?.ok_or_else(|| failed(Text::PublishKeysNone { dir: shown() }))?;
    let version = ours.ring.version();
    if let Some(published) = published {
        let there = published.ring.version();
        if there > version {
            return Err(failed(Text::PublishKeysOlder { version, there, dir: shown() }));
        }
        let same = |(version, bytes, _): &(u64, Vec<u8>, Vec<u8>)| {
            ours.versions.iter().any(|(v, b, _)| v == version && b == bytes)
        };
        if let Some((version, ..)) = published.versions.iter().find(|v| !same(v)) {
            return Err(failed(Text::PublishKeysOther { version: *version }));
        }
    }
    let source = list.source.as_deref().unwrap_or_default();
    if ours.ring.file().source != source {
        let (from, found) = (source.to_owned(), ours.ring.file().source.clone());
        return Err(failed(signature::Refusal::KeysOtherSource { from, found }.text(context.language)));
    }
    let draft = folder.keys().map_err(|e| failed(e.text()))?.and_then(|bytes| peek_version(&bytes));
    if let Some(draft) = draft.filter(|v| *v > version) {
        eprintln!("{}", Text::PublishKeysUnfinished { version: draft, used: version }.say(context.language));
    }
    Ok(Some(ours))
}

/// A list whose key does not hold would be refused by every station. `nothing` is its signature over no bytes.
fn judge_key(context: &Context, ring: &Keyring, public: &PublicKey, nothing: &str, now: Wall) -> Result<(), Failure> {
    let key_id = signature::key_id(public.keynum());
    let time = |at: Wall| Zone::default().rfc3339_seconds(at);
    let standing = signature::standing(b"", nothing.as_bytes(), &ring.keys(), &ring.file().source);
    let why = match standing {
        Ok(Standing::Leaked { .. }) => Text::KeyWhyLeaked {},
        Ok(Standing::Between { from, until, at_least }) => {
            let now = now.max(at_least);
            if until <= now {
                Text::KeyWhyOver { until: time(until) }
            } else if now < from {
                Text::KeyWhyNotYet { valid_from: time(from) }
            } else {
                if until - now < KEY_ENDS_SOON_MS {
                    eprintln!("{}", Text::PublishKeyEndsSoon { key_id, until: time(until) }.say(context.language));
                }
                return Ok(());
            }
        }
        Ok(Standing::Always) => return Ok(()),
        Ok(Standing::Gone { .. }) | Err(signature::Refusal::KeyNotListed { .. }) => Text::KeyWhyNotListed {},
        Err(refusal) => return Err(Failure::Failed(refusal.text(context.language).say(context.language))),
    };
    let (version, why) = (ring.version(), why.say(context.language));
    Err(Failure::Failed(Text::PublishKeyRefused { key_id, version, why }.say(context.language)))
}

/// Every version under its number, then the latest: whoever asks in between finds the whole way.
fn put_keys(folder: &PublishedFolder, keys: &Complete) -> Result<(), FolderError> {
    for (version, bytes, signatures) in &keys.versions {
        folder.put_keys_version(*version, bytes, signatures)?;
    }
    keys.versions.last().map_or(Ok(()), |(_, bytes, _)| folder.put_keys(bytes))
}

/// The block a station needs.
fn source_block(list: &List, public: &PublicKey, ring: Option<&Keyring>, url: Option<&str>) -> String {
    let source = list.source.as_deref().unwrap_or_default();
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let url = url.unwrap_or("https://SUA-DIA-CHI.example.vn/playlist.json");
    let keys = match ring {
        None => format!("public_keys = [{}]", quoted(&public.to_base64())),
        Some(ring) => {
            let roots = &ring.file().roots;
            let texts: Vec<String> = roots.texts().iter().map(|t| format!("    {},", quoted(t))).collect();
            format!(
                "root_keys = [            # khóa gốc: keys.json do các khóa này ký cho biết khóa nào được ký danh sách\n{}\n]\n\
                 threshold = {}            # cần mấy khóa gốc cùng ký",
                texts.join("\n"),
                roots.threshold()
            )
        }
    };
    format!(
        "# Chép khối này vào station.toml của mỗi đài (copy this block into each station.toml).\n\
         [[source]]\n\
         id = {}\n\
         origin = \"tinh\"          # trung_uong | tinh | huyen | xa | thon\n\
         url = {}   # nơi tải được playlist.json\n\
         {keys}\n\
         poll = \"15m\"\n\
         urgent_poll = \"30s\"     # hỏi tin khẩn (urgent.json); bỏ dòng này: không hỏi\n\
         # emergency = true       # cho phép phát tin khẩn cấp trong giờ không phát loa\n",
        quoted(source),
        quoted(url),
    )
}

fn table(context: &Context, list: &List, facts: &[Facts]) -> Table {
    let say = |text: Text| text.say(context.language);
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(
        [Text::ColumnId {}, Text::ColumnTitle {}, Text::ColumnLength {}, Text::ColumnGain {}, Text::ColumnKilobytes {}]
            .map(say),
    );
    for (clip, facts) in list.clips.iter().zip(facts) {
        table.add_row([
            clip.id.to_string(),
            clip.title.to_string(),
            length_words(facts.duration_ms, context.language),
            format!("{:+.1} dB", facts.gain_db),
            facts.bytes.div_ceil(1000).to_string(),
        ]);
    }
    for column in [2, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn progress(clips: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(clips);
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
