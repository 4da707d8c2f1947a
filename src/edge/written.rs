//! Which files are being written at this moment, as the kernel's inotify tells: an editor, a copy over a slow network
//! or a file server may take its time between the first byte and the last, and half a list is a list, too.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Who holds a file open so long without writing anything is not waited for, nanoseconds.
const FORGOTTEN_NS: i64 = 60 * 1_000_000_000;

/// What is to be watched: a file, or every file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// One file, which may be replaced by another of its name.
    File(PathBuf),
    /// A folder, not those inside it.
    Folder(PathBuf),
}

/// What has happened since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// A file was begun and is not finished.
    pub half_written: bool,
    /// A file was finished, moved in or removed.
    pub changed: bool,
}

/// A watch over some files. Where the machine has none to give it sees nothing.
#[derive(Default)]
pub struct Written {
    watched: Vec<Watched>,
    inotify: Option<AsyncFd<OwnedFd>>,
    /// By watch: the names that matter there, or all.
    names: HashMap<i32, Option<Vec<OsString>>>,
    /// Files begun and not finished, and when they were last written to, nanoseconds of boot time.
    open: HashMap<(i32, OsString), i64>,
}

impl Written {
    /// Watches these files, and no others any more. To be called within a tokio runtime.
    pub fn watch(&mut self, watched: Vec<Watched>) {
        if self.watched == watched {
            return;
        }
        let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok();
        // SAFETY: the descriptor is open and the same one for as long as the `AsyncFd` owns it; nothing closes it apart.
        let inotify = inotify.and_then(|fd| unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.ok());
        *self = Written { inotify, ..Written::default() };
        let Some(inotify) = self.inotify.as_ref().map(AsyncFd::get_ref) else { return };
        let what = WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        for entry in &watched {
            let (folder, name) = match entry {
                Watched::Folder(folder) => (Some(folder.as_path()), None),
                Watched::File(file) => (file.parent(), file.file_name().map(OsStr::to_owned)),
            };
            let folder = folder.filter(|f| !f.as_os_str().is_empty()).unwrap_or_else(|| ".".as_ref());
            let Ok(watch) = add_watch(inotify, folder, what) else { continue };
            match (self.names.get_mut(&watch), name) {
                (Some(Some(names)), Some(name)) => names.push(name),
                (Some(None), Some(_)) => {}
                (_, name) => {
                    self.names.insert(watch, name.map(|n| vec![n]));
                }
            }
        }
        self.watched = watched;
    }

    /// Waits until there is something to look at; for ever where nothing is watched.
    pub async fn stirs(&self) {
        if let Some(inotify) = &self.inotify
            && let Ok(mut ready) = inotify.readable().await
        {
            // What comes from here on stirs again: `look` reads all there is.
            ready.clear_ready();
            return;
        }
        std::future::pending().await
    }

    /// Whether a file was begun and not finished when it was last looked.
    pub fn half_written(&self) -> bool {
        !self.open.is_empty()
    }

    /// What has happened; `boot_ns` is now.
    pub fn look(&mut self, boot_ns: i64) -> Seen {
        let mut seen = Seen::default();
        let Some(inotify) = self.inotify.as_ref().map(AsyncFd::get_ref) else { return seen };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(inotify, &mut buffer);
        while let Ok(event) = events.next() {
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                self.open.clear();
                seen.changed = true;
                continue;
            }
            let Some(name) = event.file_name().map(|n| OsStr::from_bytes(n.to_bytes()).to_owned()) else { continue };
            let matters = match self.names.get(&event.wd()) {
                Some(Some(names)) => names.contains(&name),
                Some(None) => true,
                None => false,
            };
            if !matters {
                continue;
            }
            if flags.contains(ReadFlags::MODIFY) {
                self.open.insert((event.wd(), name), boot_ns);
            } else {
                self.open.remove(&(event.wd(), name));
                seen.changed = true;
            }
        }
        self.open.retain(|_, last| boot_ns - *last < FORGOTTEN_NS);
        seen.half_written = self.half_written();
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_file_counts_when_it_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("local.toml"), dir.path().join("other"));
        let clips = dir.path().join("clips");
        fs::create_dir(&clips).unwrap();
        let mut written = Written::default();
        written.watch(vec![Watched::File(file.clone()), Watched::Folder(clips.clone())]);
        let seen = |half_written, changed| Seen { half_written, changed };
        assert_eq!(written.look(0), seen(false, false));
        // Nobody else's file matters; a file begun is half written until it is closed, however long that takes.
        fs::write(&other, "x").unwrap();
        assert_eq!(written.look(1), seen(false, false));
        let mut half = fs::File::create(&file).unwrap();
        half.write_all(b"[[slots]]\n").unwrap();
        assert_eq!(written.look(2), seen(true, false));
        assert_eq!(written.look(50 * 1_000_000_000), seen(true, false));
        half.write_all(b"id = \"a\"\n").unwrap();
        assert_eq!(written.look(60 * 1_000_000_000), seen(true, false));
        drop(half);
        assert_eq!(written.look(61 * 1_000_000_000), seen(false, true));
        // As vim and sed do it: another file takes the name.
        fs::rename(&other, &file).unwrap();
        assert_eq!(written.look(0), seen(false, true));
        fs::write(clips.join("tin.mp3"), "x").unwrap();
        assert_eq!(written.look(0), seen(false, true));
        // Who forgets to close a file is not waited for for ever.
        let mut half = fs::File::create(&file).unwrap();
        half.write_all(b"x").unwrap();
        assert!(written.look(0).half_written);
        assert!(!written.look(FORGOTTEN_NS).half_written);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_a_write() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("local.toml");
        let mut written = Written::default();
        let stirs = async |written: &Written| tokio::time::timeout(Duration::from_millis(50), written.stirs()).await;
        assert!(stirs(&written).await.is_err());
        written.watch(vec![Watched::File(file.clone())]);
        assert!(stirs(&written).await.is_err());
        fs::write(&file, "x").unwrap();
        assert!(stirs(&written).await.is_ok());
        assert!(written.look(0).changed);
        // Looked at, it is quiet again, until the next.
        assert!(stirs(&written).await.is_err());
        fs::remove_file(&file).unwrap();
        assert!(stirs(&written).await.is_ok());
        assert!(written.look(0).changed);
    }
}
