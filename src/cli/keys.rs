//! `loaxa keys`: the file that says which keys may sign lists, made and signed offline by those who keep the root keys.
//!
//! The folder they hand round holds `keys.json`, the version being worked on, and its signatures; every version that
//! has all of them stands under its number in `keys/`, where `publish` takes it from. Nothing here needs a network.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::{Table, presets};

use crate::cli::{Context, Done, Failure, keygen};
use crate::daemon::clock::MachineClock;
use crate::domain::keyring::{ContentKey, Keyring, KeysFile, LONGEST_KEY_DAYS, Roots, RootsFault, Signatures, id_of};
use crate::domain::signature::is_tame_id;
use crate::domain::text::Text;
use crate::domain::time::{Clock, DAY_MS, Wall, Zone};
use crate::edge::published::{self, PublishedFolder, SignedKeys};

/// Shown below the help.
pub const EXAMPLE: &str = "Ví dụ (example):
  loaxa keys new khoa --source tinh --root goc-1.pub --root goc-2.pub --root goc-3.pub
  loaxa keys add khoa --key khoa-tinh.pub --name \"Máy phòng Văn hóa\" --until 2027-12-31
  loaxa keys sign khoa --key goc-1.key     người thứ nhất ký; đưa thư mục khoa cho người thứ hai (the first signs)
  loaxa keys sign khoa --key goc-3.key     người thứ hai ký: đủ chữ ký (the second signs: complete)
  loaxa publish chien-dich --key khoa-tinh.key --keys khoa --out /srv/www/loaxa";

/// How long a content key holds, when nobody says.
const LIFE_DAYS: i64 = 366;

/// What `keys` is told.
#[derive(Subcommand)]
pub(super) enum Arguments {
    /// Lập keys.json đầu tiên, từ khóa gốc công khai của từng người (the first keys.json, from the root keys)
    New(NewArguments),
    /// Thêm một khóa được ký danh sách (add a key that may sign lists)
    Add(AddArguments),
    /// Ngừng một khóa; --leaked: khóa bị lộ, rút cả danh sách đã ký bằng khóa ấy (end a key, or mark it as leaked)
    Retire(RetireArguments),
    /// Đổi người giữ khóa gốc (name other root keys)
    Roots(RootsArguments),
    /// Xem rồi ký bằng khóa gốc của mình (look at it, and sign with one's root key)
    Sign(SignArguments),
    /// Cho biết có khóa nào, đã ký đủ chưa (what it says, and who has signed)
    Show(ShowArguments),
}

/// `keys new`
#[derive(clap::Args)]
pub(super) struct NewArguments {
    /// Thư mục keys.json, để đưa cho từng người ký (the folder to hand round)
    dir: PathBuf,
    /// Mã của đơn vị gửi, như source trong playlist.toml (the source's id)
    #[arg(long, value_name = "ID")]
    source: String,
    /// Khóa gốc công khai của một người; ghi nhiều lần (a root key's .pub file; once for each)
    #[arg(long = "root", value_name = "NAME.pub", required = true)]
    roots: Vec<PathBuf>,
    /// Cần mấy người cùng ký (how many must sign)
    #[arg(long, default_value_t = 2, value_name = "N")]
    threshold: u64,
    /// Số bản lớn hơn N, khi thư mục cũ đã mất (a version above N)
    #[arg(long, default_value_t = 0, value_name = "N")]
    after: u64,
}

/// `keys add`
#[derive(clap::Args)]
pub(super) struct AddArguments {
    /// Thư mục keys.json (the folder)
    dir: PathBuf,
    /// Khóa công khai của máy ký danh sách (the .pub file)
    #[arg(long, value_name = "NAME.pub")]
    key: PathBuf,
    /// Tên cho người đọc, ví dụ nơi đặt máy (a name for people)
    #[arg(long)]
    name: Option<String>,
    /// Có hiệu lực từ; không ghi: ngay (from when on)
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Có hiệu lực đến hết ngày; không ghi: một năm (until the end of that day)
    #[arg(long, value_name = "T")]
    until: Option<String>,
}

/// `keys retire`
#[derive(clap::Args)]
pub(super) struct RetireArguments {
    /// Thư mục keys.json (the folder)
    dir: PathBuf,
    /// Số của khóa (xem bằng keys show) hoặc tệp .pub (its number, or its .pub file)
    key: String,
    /// Ngừng từ lúc; không ghi: ngay (from when on)
    #[arg(long, value_name = "T")]
    at: Option<String>,
    /// Khóa đã lọt vào tay người khác (it is in other hands)
    #[arg(long, conflicts_with = "at")]
    leaked: bool,
}

/// `keys roots`
#[derive(clap::Args)]
pub(super) struct RootsArguments {
    /// Thư mục keys.json (the folder)
    dir: PathBuf,
    /// Khóa gốc từ nay về sau; ghi đủ, kể cả người không đổi (every root key from now on)
    #[arg(long = "root", value_name = "NAME.pub", required = true)]
    roots: Vec<PathBuf>,
    /// Cần mấy người cùng ký; không ghi: như cũ (how many must sign)
    #[arg(long, value_name = "N")]
    threshold: Option<u64>,
}

/// `keys sign`
#[derive(clap::Args)]
pub(super) struct SignArguments {
    /// Thư mục keys.json (the folder)
    dir: PathBuf,
    /// Khóa gốc của mình (one's root key)
    #[arg(long, value_name = "NAME.key")]
    key: PathBuf,
    /// Không hỏi lại (do not ask)
    #[arg(long)]
    yes: bool,
}

/// `keys show`
#[derive(clap::Args)]
pub(super) struct ShowArguments {
    /// Thư mục keys.json, hoặc thư mục đã công bố (the folder, or a published one)
    dir: PathBuf,
}

/// Does one of them.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Done {
    match arguments {
        Arguments::New(arguments) => new(context, arguments),
        Arguments::Add(arguments) => add(context, arguments),
        Arguments::Retire(arguments) => retire(context, arguments),
        Arguments::Roots(arguments) => roots(context, arguments),
        Arguments::Sign(arguments) => sign(context, arguments),
        Arguments::Show(arguments) => show(context, &arguments.dir),
    }
}

/// A version with what is known of its signatures.
pub(super) struct Complete {
    /// What is in force once stations have it.
    pub(super) ring: Keyring,
    /// Every version that has all its signatures, the oldest first: number, file, signatures.
    pub(super) versions: Vec<(u64, Vec<u8>, Vec<u8>)>,
}

/// Reads the versions in `keys/` of a folder and follows their chain as a station does; none when there are none.
pub(super) fn complete(context: &Context, folder: &PublishedFolder) -> Result<Option<Complete>, Failure> {
    let failed = |text: Text| Failure::Failed(text.say(context.language));
    let (mut ring, mut versions): (Option<Keyring>, _) = (None, Vec::new());
    for version in folder.keys_versions().map_err(|e| failed(e.text()))? {
        let name = published::keys_version(version);
        let shown = folder.path_of(&name).display().to_string();
        let broken = |why: String| failed(Text::KeysFolderBroken { path: shown.clone(), why });
        let found = folder.keys_version(version).map_err(|e| failed(e.text()))?;
        let SignedKeys { bytes, signatures } = found.ok_or_else(|| broken(format!("{name}.minisig?")))?;
        let next = match &ring {
            // Whose roots they are is for the stations to pin; here they are what the first version says.
            None => KeysFile::read(&bytes, "-")
                .and_then(|file| Keyring::first(&file.roots, &file.source, &bytes, &signatures)),
            Some(ring) => ring.next(&bytes, &signatures),
        };
        ring = Some(next.map_err(|e| broken(e.text(context.language).say(context.language)))?);
        versions.push((version, bytes, signatures));
    }
    Ok(ring.map(|ring| Complete { ring, versions }))
}

/// The folder as it stands: what is complete, and what is being worked on.
struct Desk<'a> {
    context: &'a Context,
    dir: &'a Path,
    folder: PublishedFolder,
    complete: Option<Complete>,
    /// The version being worked on, with its bytes and its signature file.
    draft: Option<(KeysFile, Vec<u8>, Vec<u8>)>,
}

impl<'a> Desk<'a> {
    fn open(context: &'a Context, dir: &'a Path) -> Result<Desk<'a>, Failure> {
        let folder = PublishedFolder::at(dir);
        let failed = |text: Text| Failure::Failed(text.say(context.language));
        let complete = complete(context, &folder)?;
        let bytes = folder.keys().map_err(|e| failed(e.text()))?;
        let mut draft = None;
        if let Some(bytes) = bytes {
            let path = folder.path_of(published::KEYS).display().to_string();
            let file = KeysFile::read(&bytes, "-").map_err(|e| {
                let why = e.text(context.language).say(context.language);
                failed(Text::KeysFolderBroken { path, why })
            })?;
            let done = complete.as_ref().is_some_and(|c| c.ring.version() >= file.version);
            if !done {
                let signatures = folder.keys_signatures().map_err(|e| failed(e.text()))?.unwrap_or_default();
                draft = Some((file, bytes, signatures));
            }
        }
        Ok(Desk { context, dir, folder, complete, draft })
    }

    fn say(&self, text: Text) -> String {
        text.say(self.context.language)
    }

    fn fail(&self, text: Text) -> Failure {
        Failure::Failed(self.say(text))
    }

    /// What the next change begins with: the version being worked on, else one after the last.
    fn next(&self) -> Result<KeysFile, Failure> {
        let now = now();
        if let Some((file, ..)) = &self.draft {
            return Ok(KeysFile { issued_at: now.max(file.issued_at), ..file.clone() });
        }
        let dir = self.dir.display().to_string();
        let last = self.complete.as_ref().ok_or_else(|| self.fail(Text::KeysNoFolder { dir }))?.ring.file();
        Ok(KeysFile { version: last.version + 1, issued_at: now.max(last.issued_at), ..last.clone() })
    }

    /// Writes the version being worked on; signatures over what it was before are of no use any more.
    fn write(&self, file: &KeysFile) -> Result<(), Failure> {
        let text = file.document(Zone::default());
        // What a station would refuse is not handed round.
        KeysFile::read(text.as_bytes(), &file.source).map_err(|e| self.fail(e.text(self.context.language)))?;
        let dropped = self.draft.as_ref().is_some_and(|(.., signatures)| !signatures.is_empty());
        self.folder.put_keys_draft(text.as_bytes(), b"").map_err(|e| self.fail(e.text()))?;
        if dropped {
            eprintln!("{}", self.say(Text::KeysSignaturesDropped {}));
        }
        Ok(())
    }

    /// Whose signatures are needed and there, by the roots before and by those it names: number, whether signed.
    fn signers(&self, file: &KeysFile, bytes: &[u8], signatures: &[u8]) -> Result<Vec<Count>, Failure> {
        let parsed = match signatures.is_empty() {
            true => None,
            false => Some(Signatures::parse(signatures).ok_or_else(|| {
                let path = format!("{}.minisig", self.folder.path_of(published::KEYS).display());
                self.fail(Text::KeysSignatureFileBroken { path })
            })?),
        };
        let before = self.complete.as_ref().map(|c| c.ring.file()).filter(|b| !b.roots.same(&file.roots));
        Ok(before.into_iter().chain([file]).map(|file| Count::of(file, bytes, parsed.as_ref())).collect())
    }

    fn tell_next_step(&self, file: &KeysFile, counts: &[Count]) {
        let version = file.version;
        let missing: Vec<String> = (counts.iter())
            .filter(|c| c.signed.len() < c.need)
            .map(|c| {
                let left = c.roots.iter().filter(|(id, _)| !c.signed.contains(id)).map(|(_, name)| name.as_str());
                let ids = left.collect::<Vec<_>>().join(", ");
                self.say(Text::KeysSignersLeft { count: c.need - c.signed.len(), ids })
            })
            .collect();
        if file.keys.iter().all(|k| k.leaked || k.until <= file.issued_at) {
            eprintln!("{}", self.say(Text::KeysNoContentKey {}));
        }
        if missing.is_empty() {
            println!("{}", self.say(Text::KeysComplete { version, dir: self.dir.display().to_string() }));
        } else {
            println!("{}", self.say(Text::KeysIncomplete { version, missing: missing.join("; ") }));
        }
    }

    fn table(&self, file: &KeysFile) -> Table {
        let zone = Zone::default();
        let time = |at: Wall| zone.local(at).format("%H:%M %d/%m/%Y").to_string();
        let before = self.complete.as_ref().map(|c| c.ring.file()).filter(|b| b.version < file.version);
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        let heads =
            [Text::ColumnKey {}, Text::ColumnTitle {}, Text::ColumnFrom {}, Text::ColumnUntil {}, Text::ColumnState {}];
        table.set_header(heads.map(|text| self.say(text)));
        for key in &file.keys {
            let old = before.and_then(|b| b.keys.iter().find(|k| k.key == key.key));
            let mut state = Vec::new();
            if before.is_some() && old.is_none() {
                state.push(Text::KeyIsNew {});
            }
            if key.leaked {
                state.push(Text::KeyIsLeaked {});
            } else if key.until <= file.issued_at.max(now()) {
                state.push(Text::KeyIsOver {});
            } else if key.from > now() {
                state.push(Text::KeyIsNotYet {});
            } else {
                state.push(Text::KeyHolds {});
            }
            if old.is_some_and(|old| old != key) {
                state.push(Text::KeyIsChanged {});
            }
            let state: Vec<String> = state.into_iter().map(|text| self.say(text)).collect();
            let name = key.name.clone().unwrap_or_default();
            table.add_row([key.id(), name, time(key.from), time(key.until), state.join(", ")]);
        }
        table
    }

    fn show(&self, file: &KeysFile, counts: &[Count]) {
        let (source, version) = (file.source.clone(), file.version);
        let at = Zone::default().rfc3339_seconds(file.issued_at);
        println!("{}", self.say(Text::KeysHead { source, version, at }));
        println!("{}", self.table(file));
        let several = counts.len() > 1;
        for (n, count) in counts.iter().enumerate() {
            let mark = |id| if count.signed.contains(id) { " ✓" } else { "" };
            let ids: Vec<String> = count.roots.iter().map(|(id, name)| format!("{name}{}", mark(id))).collect();
            let (need, ids) = (count.need, ids.join(", "));
            println!(
                "{}",
                self.say(match (several, n) {
                    (true, 0) => Text::KeysRootsBefore { need, ids },
                    (true, _) => Text::KeysRootsAfter { need, ids },
                    (false, _) => Text::KeysRootsLine { need, ids },
                })
            );
        }
    }
}

/// Who keeps the root keys of a version, and who of them signed some bytes.
struct Count {
    /// Number, and how people know it.
    roots: Vec<(String, String)>,
    signed: Vec<String>,
    need: usize,
}

impl Count {
    fn of(file: &KeysFile, bytes: &[u8], signatures: Option<&Signatures>) -> Count {
        let mut names = file.root_names.iter();
        let named = |id: String| {
            let name = names.next().filter(|n| !n.is_empty());
            (id.clone(), name.map_or(id.clone(), |name| format!("{name} ({id})")))
        };
        let roots = file.roots.ids().into_iter().map(named).collect();
        let signed = signatures.map(|s| file.roots.signers(bytes, s).ids).unwrap_or_default();
        Count { roots, signed, need: file.roots.threshold() }
    }
}

/// `goc-1` of `usb/goc-1.pub`: how people know a root key.
fn names_of(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|p| p.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()).collect()
}

fn now() -> Wall {
    // Whole seconds, as the file holds them.
    let wall = MachineClock::plain().now().wall();
    Wall(wall.0.div_euclid(1_000) * 1_000)
}

/// The key of a `.pub` file, ours or minisign's.
fn public_key(context: &Context, path: &Path) -> Result<String, Failure> {
    let failed = |cause: String| {
        let path = path.display().to_string();
        Failure::Failed(Text::PublicKeyUnreadable { path, cause }.say(context.language))
    };
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    let key = text.lines().map(str::trim).find(|line| id_of(line).is_some());
    key.map(str::to_owned).ok_or_else(|| failed(Text::BadPublicKey {}.say(context.language)))
}

fn root_keys(context: &Context, paths: &[PathBuf], threshold: u64) -> Result<Roots, Failure> {
    let texts = paths.iter().map(|path| public_key(context, path)).collect::<Result<Vec<_>, _>>()?;
    Roots::new(&texts, threshold).map_err(|fault| {
        let keys = texts.len();
        Failure::Failed(
            match fault {
                RootsFault::Malformed(_) => Text::BadPublicKey {},
                RootsFault::Twice(n) => Text::KeysRootFileTwice { path: paths[n].display().to_string() },
                RootsFault::Count => Text::KeysRootCount { most: crate::domain::keyring::MOST_ROOTS },
                RootsFault::Threshold => Text::KeysThresholdBad { threshold, keys },
            }
            .say(context.language),
        )
    })
}

/// A moment; a date alone is its beginning, or with `to_its_end` its end.
fn moment(context: &Context, text: &str, to_its_end: bool) -> Result<Wall, Failure> {
    let wrong = || Failure::Usage(Text::ArgumentTime { text: text.to_owned() }.say(context.language));
    let at = Zone::default().parse(text).ok_or_else(wrong)?;
    Ok(if to_its_end && text.trim().len() == 10 { at + DAY_MS } else { at })
}

fn new(context: &Context, arguments: &NewArguments) -> Done {
    let desk = Desk::open(context, &arguments.dir)?;
    if desk.complete.is_some() || desk.draft.is_some() {
        let dir = arguments.dir.display().to_string();
        return Err(desk.fail(Text::KeysFolderTaken { dir }));
    }
    if !is_tame_id(&arguments.source) {
        return Err(desk.fail(Text::StoreBadName { source: arguments.source.clone() }));
    }
    let roots = root_keys(context, &arguments.roots, arguments.threshold)?;
    if roots.threshold() == 1 {
        eprintln!("{}", desk.say(Text::OneRootIsEnough {}));
    }
    let source = arguments.source.clone();
    let version = arguments.after.saturating_add(1);
    let root_names = names_of(&arguments.roots);
    let file = KeysFile { source, version, issued_at: now(), roots, root_names, keys: Vec::new() };
    desk.write(&file)?;
    println!("{}", desk.say(Text::KeysBegun { dir: arguments.dir.display().to_string() }));
    Ok(ExitCode::SUCCESS)
}

fn add(context: &Context, arguments: &AddArguments) -> Done {
    let desk = Desk::open(context, &arguments.dir)?;
    let mut file = desk.next()?;
    let key = public_key(context, &arguments.key)?;
    let from = arguments.from.as_deref().map(|t| moment(context, t, false)).transpose()?;
    let from = from.unwrap_or(file.issued_at);
    let until = arguments.until.as_deref().map(|t| moment(context, t, true)).transpose()?;
    let until = until.unwrap_or(from + LIFE_DAYS * DAY_MS);
    let id = id_of(&key).unwrap_or_default();
    if until <= from || until - from > LONGEST_KEY_DAYS * DAY_MS {
        return Err(desk.fail(Text::KeysLifeBad { id, most: LONGEST_KEY_DAYS }));
    }
    if let Some(old) = file.keys.iter().find(|k| k.id() == id) {
        if old.leaked {
            return Err(desk.fail(Text::KeysLeakedStays { id }));
        }
        file.keys.retain(|k| k.id() != id); // another name or another time
    }
    let name = arguments.name.as_ref().map(|n| n.trim().to_owned()).filter(|n| !n.is_empty());
    file.keys.push(ContentKey { key, name, from, until, leaked: false });
    changed(&desk, &file)
}

fn retire(context: &Context, arguments: &RetireArguments) -> Done {
    let desk = Desk::open(context, &arguments.dir)?;
    let mut file = desk.next()?;
    let wanted = match Path::new(&arguments.key) {
        path if path.is_file() => id_of(&public_key(context, path)?).unwrap_or_default(),
        _ => arguments.key.trim().to_uppercase(),
    };
    let at = arguments.at.as_deref().map(|t| moment(context, t, false)).transpose()?;
    let at = at.unwrap_or(file.issued_at);
    let ids: Vec<String> = file.keys.iter().map(ContentKey::id).collect();
    let Some(key) = file.keys.iter_mut().find(|k| k.id() == wanted) else {
        return Err(desk.fail(Text::KeysNoSuchKey { id: wanted, known: ids.join(", ") }));
    };
    key.until = key.until.min(at).max(key.from);
    key.leaked |= arguments.leaked;
    changed(&desk, &file)
}

fn roots(context: &Context, arguments: &RootsArguments) -> Done {
    let desk = Desk::open(context, &arguments.dir)?;
    let mut file = desk.next()?;
    let threshold = arguments.threshold.unwrap_or(file.roots.threshold() as u64);
    file.roots = root_keys(context, &arguments.roots, threshold)?;
    file.root_names = names_of(&arguments.roots);
    changed(&desk, &file)
}

/// Writes a change and shows what is to be signed now.
fn changed(desk: &Desk, file: &KeysFile) -> Done {
    desk.write(file)?;
    let counts = desk.signers(file, b"", b"")?;
    desk.show(file, &counts);
    desk.tell_next_step(file, &counts);
    Ok(ExitCode::SUCCESS)
}

fn sign(context: &Context, arguments: &SignArguments) -> Done {
    let desk = Desk::open(context, &arguments.dir)?;
    let dir = arguments.dir.display().to_string();
    let Some((file, bytes, signatures)) = &desk.draft else {
        return Err(desk.fail(match &desk.complete {
            Some(c) => Text::KeysNothingToSign { version: c.ring.version() },
            None => Text::KeysNoFolder { dir },
        }));
    };
    let counts = desk.signers(file, bytes, signatures)?;
    desk.show(file, &counts);
    let (secret, public) = keygen::read_secret(context, &arguments.key)?;
    let id = id_of(&public.to_base64()).unwrap_or_default();
    let before = desk.complete.as_ref().map(|c| &c.ring.file().roots);
    if !before.into_iter().chain([&file.roots]).any(|roots| roots.has(&public.to_base64())) {
        return Err(desk.fail(Text::KeysNotARoot { id }));
    }
    if counts.iter().any(|c| c.signed.contains(&id)) {
        println!("{}", desk.say(Text::KeysSignedAlready { id }));
        desk.tell_next_step(file, &counts);
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.yes && !confirmed(&desk, file.version)? {
        println!("{}", desk.say(Text::KeysNotSigned {}));
        return Ok(ExitCode::from(1));
    }
    let comment = format!("timestamp:{}\tfile:{}\thashed", now().0 / 1000, published::KEYS);
    let words = Some("signature from minisign secret key");
    let signature = minisign::sign(Some(&public), &secret, &bytes[..], Some(&comment), words)
        .map_err(|e| Failure::Failed(e.to_string()))?
        .to_string();
    let mut all = String::from_utf8_lossy(signatures).into_owned();
    if !all.is_empty() && !all.ends_with('\n') {
        all.push('\n');
    }
    all.push_str(&signature);
    let counts = desk.signers(file, bytes, all.as_bytes())?;
    if !counts.iter().any(|c| c.signed.contains(&id)) {
        return Err(desk.fail(Text::KeysNotARoot { id }));
    }
    desk.folder.put_keys_draft(bytes, all.as_bytes()).map_err(|e| desk.fail(e.text()))?;
    println!("{}", desk.say(Text::KeysSigned { id }));
    if counts.iter().all(|c| c.signed.len() >= c.need) {
        // As a station will judge it.
        let judged = match &desk.complete {
            Some(c) => c.ring.next(bytes, all.as_bytes()),
            None => Keyring::first(&file.roots, &file.source, bytes, all.as_bytes()),
        };
        judged.map_err(|e| desk.fail(e.text(context.language)))?;
        desk.folder.put_keys_version(file.version, bytes, all.as_bytes()).map_err(|e| desk.fail(e.text()))?;
    }
    desk.tell_next_step(file, &counts);
    Ok(ExitCode::SUCCESS)
}

fn confirmed(desk: &Desk, version: u64) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(desk.say(Text::KeysAskOnTerminal {})));
    }
    print!("{} ", desk.say(Text::KeysAskSign { version }));
    let _ = io::stdout().flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|e| Failure::Failed(e.to_string()))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "c" | "có" | "co" | "y" | "yes"))
}

fn show(context: &Context, dir: &Path) -> Done {
    let desk = Desk::open(context, dir)?;
    match (&desk.draft, &desk.complete) {
        (Some((file, bytes, signatures)), _) => {
            let counts = desk.signers(file, bytes, signatures)?;
            desk.show(file, &counts);
            desk.tell_next_step(file, &counts);
        }
        (None, Some(complete)) => {
            let file = complete.ring.file();
            let (_, bytes, signatures) = complete.versions.last().cloned().unwrap_or_default();
            let counts = [Count::of(file, &bytes, Signatures::parse(&signatures).as_ref())];
            desk.show(file, &counts);
            desk.tell_next_step(file, &counts);
        }
        (None, None) => return Err(desk.fail(Text::KeysNoFolder { dir: dir.display().to_string() })),
    }
    Ok(ExitCode::SUCCESS)
}
