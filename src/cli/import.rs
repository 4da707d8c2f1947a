//! `loaxa import`: a published folder from a USB stick, with the same checks as from a server.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::ask::SOON;
use crate::cli::{Context, Done, Failure, progress, station};
use crate::daemon::clock::MachineClock;
use crate::daemon::keys::{KeysIntake, KnownKeys, Trust};
use crate::daemon::sync::{Intake, KeysInForce, Taken, Trouble, keys_accepted, latest_of};
use crate::domain::config::{Config, Source};
use crate::domain::keyring::KEYS;
use crate::domain::playlist::{Form, read_list};
use crate::domain::signature::{Refusal, URGENT, Wanted};
use crate::domain::text::Text;
use crate::domain::time::Wall;
use crate::edge::airing_log::{AiringLog, FILE_NAME};
use crate::edge::clip_store::{Admit, ClipStore, Part, StoreError};
use crate::edge::control::{AskError, Request, ask};
use crate::edge::published::{self, FolderError, PublishedFolder, Unjudged};

/// Shown below the help.
pub const EXAMPLE: &str = "Ví dụ (example):
  loaxa import /media/usb/loaxa
    thư mục do `loaxa publish` tạo, chép nguyên vào USB (the published folder, copied as it is)";

/// What `import` is told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Thư mục có playlist.json (folder of playlist.json)
    path: PathBuf,
}

/// Takes the folder into the station's store, and tells a running daemon. The commune's own list is not looked at:
/// a mistake in it must not keep a list out.
pub(super) fn run(context: &Context, arguments: &Arguments, admit: &Admit) -> Done {
    let config = &station::config(context)?;
    let say = |text: Text| text.say(context.language);
    let failed = |text: Text| Failure::Failed(say(text));
    let folder = PublishedFolder::at(&arguments.path);
    let read = folder.read().map_err(|e| failed(e.text()))?;
    let read = read.ok_or_else(|| {
        let path = arguments.path.display().to_string();
        failed(Text::ImportNoList { path })
    })?;
    let source = whose(config, &read.list).map_err(failed)?;
    // Gone with the disk's memory, an old list is refused by the log's.
    let log = config.state.dir.join(FILE_NAME);
    let latest = AiringLog::open_read_only(&log).and_then(|l| l.latest_lists()).map(latest_of).unwrap_or_default();
    let store = ClipStore::open(&config.state.dir).map_err(|e| failed(e.text(context.language)))?;
    // Beside a running daemon other sources' clips are in use: nothing is evicted from here.
    // What an untrusted clock says of expiry is not believed here either.
    let clock = MachineClock::new(config.trust, config.hold_ms, Wall(0));
    let zone = config.station.timezone;
    let (keys, keys_file, behind, news) = match Trust::of(source).map_err(|e| failed(e.text(context.language)))? {
        Trust::Fixed(keys) => (keys, None, false, None),
        Trust::Rooted(roots) => {
            let latest = latest.get(&format!("{}{KEYS}", source.id)).map(keys_accepted);
            let (id, store, latest) = (&*source.id, &store, latest.as_ref());
            let intake = KeysIntake { source: id, roots: &roots, store, latest, clock: &clock, zone };
            let (known, news) = take_keys(&intake, &folder).map_err(|e| failed(e.text(context.language)))?;
            let keys = known.keys(id).map_err(|e| failed(e.text(context.language)))?;
            (keys, known.accepted(), known.behind(), news)
        }
    };
    if let Some(text) = news {
        println!("{}", say(text));
    }
    let intake = Intake {
        source: &source.id,
        urgent: false,
        keys: &keys,
        keys_file: keys_file.as_ref(),
        behind,
        station: &config.station.id,
        zone,
        language: context.language,
        store: &store,
        admit,
        quota: config.state.clips_quota_bytes,
        keep: &|_| true,
        keep_before: &|_| true,
        // A stick has them all at once.
        soonest: &|_, _| Vec::new(),
        latest: latest.get(&*source.id),
        clock: &clock,
    };
    let all = || {
        let mut said = take(context, &intake, &folder, &read)?;
        // What is urgent comes on the same stick.
        let folder = folder.clone().urgent();
        if source.urgent_poll_ms.is_some()
            && let Some(read) = folder.read().map_err(|e| failed(e.text()))?
        {
            let latest = latest.get(&format!("{}{URGENT}", source.id));
            said.extend(take(context, &Intake { urgent: true, latest, ..intake }, &folder, &read)?);
        }
        Ok(said)
    };
    let said = all();
    // Also when a list was refused: keys may have come, and a leaked one is dead from now on.
    match ask(&config.state.dir, &Request::Look, Some(SOON)) {
        Ok(_) | Err(AskError::NoDaemon(_)) => {}
        // It looks for itself at the next check of the source.
        Err(error) => eprintln!("loaxa: {error}"),
    }
    said?.into_iter().for_each(|text| println!("{}", say(text)));
    Ok(ExitCode::SUCCESS)
}

/// Takes the keys of a stick, and every version on the way to them; what there is to say. A stick that lags behind is
/// none that lies: the keys on disk judge its list.
fn take_keys(intake: &KeysIntake, folder: &PublishedFolder) -> Result<(KnownKeys, Option<Text>), Trouble> {
    let disk = |e: FolderError| Trouble::Store(StoreError::Io { path: e.path, cause: e.cause });
    let mut known = intake.load()?;
    let source = || intake.source.to_owned();
    let place = folder.path_of(published::KEYS).display().to_string();
    let bytes = folder.keys().map_err(disk)?.ok_or_else(|| Trouble::NoKeysFile { source_id: source(), place })?;
    let fetch = &mut |version: u64| folder.keys_version(version).map_err(disk);
    match intake.update(&mut known, &bytes, fetch) {
        Ok(true) => {}
        Ok(false) => return Ok((known, None)),
        // What has been lost on disk is looked for on the stick, and not made up for by an older one.
        Err(Trouble::Refusal(Refusal::KeysLower { .. })) if known.alarm.is_none() && known.ring.is_some() => {
            return Ok((known, None));
        }
        Err(trouble) => return Err(trouble),
    }
    let news = known.ring.as_ref().map(|ring| {
        let KeysInForce { accepted, keys } = KeysInForce::of(ring);
        Text::KeysReceived { source: source(), version: accepted.version, keys }
    });
    Ok((known, news))
}

/// Takes a list and its clips; what there is to say.
fn take(context: &Context, intake: &Intake, folder: &PublishedFolder, read: &Unjudged) -> Result<Vec<Text>, Failure> {
    let failed = |text: Text| Failure::Failed(text.say(context.language));
    let known = intake.load().map_err(|e| failed(e.text(context.language)))?;
    let mut clips = 0;
    let taken = intake
        .take(&read.list, &read.signature, &known, &mut |wanted, part| {
            clips += 1;
            copy(&folder.path_of(&wanted.url), wanted, part)
        })
        .map_err(|e| failed(e.text(context.language)))?;
    let source = intake.source.to_owned();
    Ok(match taken {
        Taken::Same if intake.urgent => Vec::new(),
        Taken::Same => vec![Text::ImportSame { source }],
        Taken::New(stored) if intake.urgent => {
            vec![Text::ImportedUrgent { source, serial: stored.serial, clips }]
        }
        Taken::New(stored) => vec![Text::Imported { source, serial: stored.serial, clips }],
    })
}

/// The source a list says it is from. Nothing is believed yet: its keys decide.
fn whose<'a>(config: &'a Config, list: &[u8]) -> Result<&'a Source, Text> {
    let named = read_list(list, Form::Published).value.and_then(|l| l.source);
    match (&named, &config.sources[..]) {
        (Some(id), sources) => {
            sources.iter().find(|s| s.id == *id).ok_or_else(|| Text::ImportUnknownSource { source: id.to_string() })
        }
        // It cannot be read: the only source's checks say why.
        (None, [only]) => Ok(only),
        (None, _) => Err(Text::ImportUnknownSource { source: "-".into() }),
    }
}

fn copy(from: &Path, wanted: &Wanted, part: &mut Part) -> Result<(), Trouble> {
    let failed = |cause| StoreError::Io { path: from.into(), cause };
    let bar = progress::bar(wanted.bytes, 5_000_000, wanted.title.clone());
    part.restart(None).map_err(failed)?;
    // One byte more than signed tells that the file is another one.
    let mut file = File::open(from).map_err(failed)?.take(wanted.bytes + 1);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            bar.finish_and_clear();
            return Ok(());
        }
        part.write(&buffer[..n]).map_err(failed)?;
        bar.inc(n as u64);
    }
}
