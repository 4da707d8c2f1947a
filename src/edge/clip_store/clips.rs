//! Clips by their SHA-256: on their way in as part files, judged, named, kept or evicted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use sha2::{Digest, Sha256};

use super::{Admit, ClipStore, LEFT_FOR_LOG, Measured, StoreError, at, hash_file, hash_rest, names};
use crate::domain::loudness;
use crate::domain::signature::{ENDINGS, Wanted, hex, is_sha256};
use crate::domain::text::Text;

impl ClipStore {
    /// Where a clip is, if it is there: whoever finds it may play it.
    pub fn path_of(&self, sha256: &str) -> Option<PathBuf> {
        if !is_sha256(sha256) {
            return None;
        }
        ENDINGS.iter().map(|ending| self.clips.join(format!("{sha256}.{ending}"))).find(|path| path.is_file())
    }

    /// Whether a clip is there with the right number of bytes.
    pub fn has(&self, wanted: &Wanted) -> bool {
        self.path_of(&wanted.sha256)
            .and_then(|path| fs::metadata(path).ok())
            .is_some_and(|meta| meta.len() == wanted.bytes)
    }

    /// What decoding found when the clip was admitted.
    pub fn measured(&self, sha256: &str) -> Option<Measured> {
        let bytes = is_sha256(sha256).then(|| fs::read(self.clips.join(format!("{sha256}.measured.json"))))?.ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Whether a clip that is there still has the bytes of its name. Reads the whole file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn intact(&self, sha256: &str) -> Result<bool, StoreError> {
        match self.path_of(sha256) {
            Some(path) => Ok(hash_file(&path).map_err(at(&path))? == sha256),
            None => Ok(false),
        }
    }

    /// Throws a clip's file away when its bytes are no longer those of its name. Whether it did; a file that is none
    /// of this store's stays. Reads the whole file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn drop_altered(&self, path: &Path) -> Result<bool, StoreError> {
        let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.split_once('.'));
        let Some((sha256, _)) = name.filter(|(sha256, _)| self.path_of(sha256).is_some_and(|own| own == path)) else {
            return Ok(false);
        };
        if hash_file(path).map_err(at(path))? == sha256 {
            return Ok(false);
        }
        fs::remove_file(path).map_err(at(path))?;
        Ok(true)
    }

    /// Number of clips and their bytes.
    pub fn usage(&self) -> (u64, u64) {
        let clips = self.list_clips().unwrap_or_default();
        (clips.len() as u64, clips.iter().map(|c| c.bytes).sum())
    }

    /// Whether a clip that is already there also fits what this list signs of it; decodes it again only when
    /// nobody wrote down what was found the first time.
    ///
    /// # Errors
    /// [`StoreError::Refused`], [`StoreError::Unfit`] or [`StoreError::Duration`].
    pub fn check_admitted(&self, wanted: &Wanted, admit: &Admit) -> Result<(), StoreError> {
        let measured = match self.measured(&wanted.sha256) {
            Some(measured) => measured,
            None => {
                let path =
                    self.path_of(&wanted.sha256).ok_or_else(|| StoreError::Missing { title: wanted.title.clone() })?;
                let measured = refused_as(&wanted.title, admit(&path))?;
                self.note_measured(&wanted.sha256, &measured)?;
                measured
            }
        };
        fits(wanted, &measured)
    }

    /// How many clips may be decoded at once: one processor is left to what plays.
    pub fn judges(&self) -> usize {
        std::thread::available_parallelism().map_or(1, |n| n.get() - 1).max(1)
    }

    /// Waits until no more than [`ClipStore::judges`] clips are being decoded with this one, whoever asks. The place is
    /// given back by dropping it.
    pub fn seat(&self) -> Seat<'_> {
        let mut busy = self.busy();
        while busy.judging >= self.judges() {
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        busy.judging += 1;
        Seat(self)
    }

    /// Keeps clips from being evicted until the pin is dropped.
    pub fn pin<'s>(&'s self, clips: &[Wanted]) -> Pin<'s> {
        let clips: Vec<String> = clips.iter().map(|c| c.sha256.clone()).collect();
        let mut busy = self.busy();
        for sha256 in &clips {
            *busy.pinned.entry(sha256.clone()).or_default() += 1;
        }
        Pin { store: self, clips }
    }

    /// Opens a clip's part file, with what an earlier try left in it. Waits while another thread fetches the same
    /// clip: look for it again first. None when it is there now.
    ///
    /// # Errors
    /// What the disk says; [`StoreError::NoRoom`].
    pub fn part<'s>(&'s self, wanted: &Wanted) -> Result<Option<Part<'s>>, StoreError> {
        let mut busy = self.busy();
        while busy.fetching.contains(&wanted.sha256) {
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        if self.has(wanted) {
            return Ok(None);
        }
        busy.fetching.insert(wanted.sha256.clone());
        drop(busy);
        // From here on the claim is given back by dropping it.
        let claim = Claim { store: self, sha256: wanted.sha256.clone() };
        let path = self.clips.join(format!("{}.part.{}", wanted.sha256, wanted.ending));
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(at(&path))?;
        let mut hasher = Sha256::new();
        let have = hash_rest(&mut file, &mut hasher).map_err(at(&path))?;
        let needed = wanted.bytes.saturating_sub(have);
        if self.room().is_some_and(|room| room < needed + LEFT_FOR_LOG) {
            return Err(StoreError::NoRoom { needed });
        }
        let tag_path = self.clips.join(format!("{}.part.tag", wanted.sha256));
        let tag = fs::read_to_string(&tag_path).ok().filter(|_| have > 0);
        Ok(Some(Part { claim, wanted: wanted.clone(), path, tag_path, file, hasher, have, tag, needless: None }))
    }

    /// Free bytes on the disk, if it says.
    fn room(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.clips).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Not flushed: it is only a memo. Lost or torn by a power cut, the clip is decoded again when it is asked for.
    fn note_measured(&self, sha256: &str, measured: &Measured) -> Result<(), StoreError> {
        let path = self.clips.join(format!("{sha256}.measured.json"));
        let tmp = self.clips.join(format!("{sha256}.measured.json.tmp"));
        let text = serde_json::to_vec(measured).map_err(|e| at(&path)(e.into()))?;
        self.step(&tmp)?;
        fs::write(&tmp, text).map_err(at(&tmp))?;
        self.step(&path)?;
        fs::rename(&tmp, &path).map_err(at(&path))
    }

    /// Removes clips until their bytes are within `quota`, the longest unused first; never one that `keep` names or
    /// that a generation being put together needs. Part files nobody is fetching go when `keep` does not name them.
    /// Returns how many bytes were freed.
    ///
    /// # Errors
    /// What the disk says.
    pub fn evict(&self, quota: u64, keep: &dyn Fn(&str) -> bool) -> Result<u64, StoreError> {
        // Held throughout: nothing may be pinned or claimed between looking and removing.
        let busy = self.busy();
        let may_go = |sha256: &str| !keep(sha256) && !busy.pinned.contains_key(sha256);
        let mut freed = 0;
        for name in names(&self.clips)? {
            let Some((sha256, rest)) = name.split_once('.') else { continue };
            if rest.starts_with("part.") && is_sha256(sha256) && may_go(sha256) && !busy.fetching.contains(sha256) {
                let _ = fs::remove_file(self.clips.join(&name));
            }
        }
        let mut clips = self.list_clips()?;
        let mut total: u64 = clips.iter().map(|c| c.bytes).sum();
        clips.sort_by_key(|c| c.changed_ms);
        for clip in clips {
            if total <= quota {
                break;
            }
            if may_go(&clip.sha256) {
                fs::remove_file(&clip.path).map_err(at(&clip.path))?;
                let _ = fs::remove_file(self.clips.join(format!("{}.measured.json", clip.sha256)));
                total -= clip.bytes;
                freed += clip.bytes;
            }
        }
        Ok(freed)
    }

    fn list_clips(&self) -> Result<Vec<OneClip>, StoreError> {
        let mut clips = Vec::new();
        for name in names(&self.clips)? {
            let Some((sha256, ending)) = name.split_once('.') else { continue };
            if !is_sha256(sha256) || !ENDINGS.contains(&ending) {
                continue;
            }
            let path = self.clips.join(&name);
            if let Ok(meta) = fs::metadata(&path) {
                let changed = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
                let changed_ms = changed.map_or(0, |d| d.as_millis());
                clips.push(OneClip { sha256: sha256.into(), path, bytes: meta.len(), changed_ms });
            }
        }
        Ok(clips)
    }
}

struct OneClip {
    sha256: String,
    path: PathBuf,
    bytes: u64,
    changed_ms: u128,
}

/// Clips kept from eviction for as long as it lives.
pub struct Pin<'s> {
    store: &'s ClipStore,
    clips: Vec<String>,
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        let mut busy = self.store.busy();
        for sha256 in &self.clips {
            if let Some(n) = busy.pinned.get_mut(sha256) {
                *n -= 1;
                if *n == 0 {
                    busy.pinned.remove(sha256);
                }
            }
        }
    }
}

/// The right to have one clip decoded.
pub struct Seat<'s>(&'s ClipStore);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.busy().judging -= 1;
        self.0.freed.notify_all();
    }
}

/// The right to fetch one clip.
struct Claim<'s> {
    store: &'s ClipStore,
    sha256: String,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.store.busy().fetching.remove(&self.sha256);
        self.store.freed.notify_all();
    }
}

/// A clip on its way in.
pub struct Part<'s> {
    claim: Claim<'s>,
    wanted: Wanted,
    path: PathBuf,
    tag_path: PathBuf,
    file: File,
    hasher: Sha256,
    have: u64,
    tag: Option<String>,
    needless: Option<Arc<AtomicBool>>,
}

impl<'s> Part<'s> {
    /// From now on a flag says whether the rest is of no use any more.
    pub fn needless_when(&mut self, flag: Arc<AtomicBool>) {
        self.needless = Some(flag);
    }

    /// Whether the rest is of no use any more, so that the transfer may end: what is there is kept.
    pub fn is_needless(&self) -> bool {
        self.needless.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Bytes it holds.
    pub fn have(&self) -> u64 {
        self.have
    }

    /// The server's tag under which they were fetched.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Throws everything away and begins again under a new tag.
    ///
    /// # Errors
    /// What the disk says.
    pub fn restart(&mut self, tag: Option<&str>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.hasher = Sha256::new();
        self.have = 0;
        self.tag = tag.map(str::to_owned);
        match tag {
            Some(tag) => fs::write(&self.tag_path, tag),
            None => match fs::remove_file(&self.tag_path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            },
        }
    }

    /// Adds to the end.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Throws the file away: what is in it cannot become the clip.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.tag_path);
    }

    /// Checks size and hash, lets the clip be decoded whole, and gives it its name: [`Part::whole`] and [`Whole::admit`].
    ///
    /// # Errors
    /// As theirs.
    pub fn finish(self, admit: &Admit) -> Result<Measured, StoreError> {
        self.whole()?.admit(admit)
    }

    /// Checks size and hash: what has come is the clip, and may be judged.
    ///
    /// # Errors
    /// [`StoreError::WrongBytes`] removes the part file.
    pub fn whole(self) -> Result<Whole<'s>, StoreError> {
        if self.have != self.wanted.bytes || hex(&self.hasher.clone().finalize()) != self.wanted.sha256 {
            let title = self.wanted.title.clone();
            self.discard();
            return Err(StoreError::WrongBytes { title });
        }
        Ok(Whole(Box::new(self)))
    }
}

/// A clip that came whole and is still to be judged. Dropped before that, its part file stays and is judged the next
/// time.
pub struct Whole<'s>(Box<Part<'s>>);

impl Whole<'_> {
    /// The clip.
    pub fn wanted(&self) -> &Wanted {
        &self.0.wanted
    }

    /// Flushes the clip, lets it be decoded whole, and gives it its name.
    ///
    /// # Errors
    /// [`StoreError::Refused`], [`StoreError::Unfit`] and [`StoreError::Duration`] remove the part file; else what the
    /// disk says.
    pub fn admit(self, admit: &Admit) -> Result<Measured, StoreError> {
        let part = *self.0;
        let store = part.claim.store;
        store.step(&part.path)?;
        part.file.sync_all().map_err(at(&part.path))?;
        // What was decoded once, under this very hash, need not be again when only the file was lost.
        let known = store.measured(&part.wanted.sha256);
        let admitted = known.map_or_else(|| refused_as(&part.wanted.title, admit(&part.path)), Ok);
        let admitted = admitted.and_then(|measured| fits(&part.wanted, &measured).map(|()| measured));
        let measured = match admitted {
            Ok(measured) => measured,
            Err(error) => {
                part.discard();
                return Err(error);
            }
        };
        if known.is_none() {
            store.note_measured(&part.wanted.sha256, &measured)?;
        }
        let path = store.clips.join(format!("{}.{}", part.wanted.sha256, part.wanted.ending));
        store.step(&path)?;
        fs::rename(&part.path, &path).map_err(at(&path))?;
        let _ = fs::remove_file(&part.tag_path);
        store.flush_folder(&store.clips)?;
        Ok(measured)
    }
}

fn refused_as(title: &str, admitted: Result<Measured, Text>) -> Result<Measured, StoreError> {
    admitted.map_err(|why| StoreError::Refused { title: title.into(), why: Box::new(why) })
}

/// Whether what was measured is what the list signs, and fit for people's ears with the gain it signs.
fn fits(wanted: &Wanted, measured: &Measured) -> Result<(), StoreError> {
    duration_fits(wanted, measured)?;
    match loudness::objection(&wanted.title, measured.heard(), wanted.gain_db, loudness::PUBLISHED) {
        Some(why) => Err(StoreError::Unfit { why: Box::new(why) }),
        None => Ok(()),
    }
}

/// Within 2 % of what is signed. Up to 30 ms more are forgiven: about one frame of MP3, which players count
/// differently.
fn duration_fits(wanted: &Wanted, measured: &Measured) -> Result<(), StoreError> {
    let apart = (measured.duration_ms - wanted.duration_ms).abs();
    if apart.saturating_sub(30).saturating_mul(50) <= wanted.duration_ms {
        return Ok(());
    }
    Err(StoreError::Duration {
        title: wanted.title.clone(),
        signed_ms: wanted.duration_ms,
        found_ms: measured.duration_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::super::given::*;
    use super::*;

    #[test]
    fn a_clip_is_there_only_when_whole_right_and_decoded() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        let clip = wanted(1);
        let mut part = store.part(&clip).unwrap().unwrap();
        part.restart(Some("\"tag\"")).unwrap();
        part.write(&sound(1)[..500]).unwrap();
        drop(part);
        assert!(!store.has(&clip));

        // Taken up where it was, under the same tag, also after a restart.
        let store = ClipStore::open(dir.path()).unwrap();
        let mut part = store.part(&clip).unwrap().unwrap();
        assert_eq!((part.have(), part.tag()), (500, Some("\"tag\"")));
        part.write(&sound(1)[500..]).unwrap();
        let refused = part.finish(&|_| Err(Text::ClipNotThere { title: "x".into() }));
        assert!(matches!(refused, Err(StoreError::Refused { .. })));
        assert!(store.path_of(&clip.sha256).is_none());

        bring(&store, 1).unwrap();
        assert!(store.has(&clip) && store.intact(&clip.sha256).unwrap());
        assert_eq!(store.measured(&clip.sha256).unwrap().duration_ms, 10_000);
        assert!(store.part(&clip).unwrap().is_none());
        assert_eq!(store.usage(), (1, clip.bytes));
        assert_eq!(names(&store.clips).unwrap().len(), 2, "clip and what was measured, no rests");
    }

    #[test]
    fn wrong_bytes_and_lengths_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        let mut part = store.part(&wanted(1)).unwrap().unwrap();
        part.write(&vec![9; sound(1).len()]).unwrap();
        assert!(matches!(part.finish(&lasting(10_000)), Err(StoreError::WrongBytes { .. })));
        for (ms, fits) in [(10_200, true), (9_800, true), (10_300, false), (9_000, false)] {
            let mut part = store.part(&wanted(2)).unwrap().unwrap();
            assert_eq!(part.have(), 0, "what was refused is gone");
            part.write(&sound(2)).unwrap();
            let finished = part.finish(&lasting(ms));
            assert_eq!(finished.is_ok(), fits, "{ms}");
            if let Some(path) = store.path_of(&wanted(2).sha256) {
                // Another list that signs another length for the same file is refused without decoding again.
                let mut longer = wanted(2);
                longer.duration_ms = 20_000;
                let never = |_: &Path| -> Result<Measured, Text> { panic!("decoded twice") };
                let checked = store.check_admitted(&longer, &never);
                assert!(matches!(checked, Err(StoreError::Duration { .. })));
                fs::remove_file(path).unwrap();
                // Fetched again it is not decoded again: the same hash, the same sound.
                let mut part = store.part(&wanted(2)).unwrap().unwrap();
                part.write(&sound(2)).unwrap();
                assert_eq!(part.finish(&never).unwrap().duration_ms, ms);
                fs::remove_file(store.path_of(&wanted(2).sha256).unwrap()).unwrap();
                fs::remove_file(dir.path().join(format!("clips/{}.measured.json", wanted(2).sha256))).unwrap();
            }
        }
    }

    /// Row for row what publishing promises: a gain that would tear, one that is too loud, nothing to hear.
    #[test]
    fn too_loud_or_silent_stays_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        let finish = |gain_db: f64, loudness_lufs, true_peak_db| {
            let mut part = store.part(&Wanted { gain_db, ..wanted(1) }).unwrap().unwrap();
            part.write(&sound(1)).unwrap();
            let found = part.finish(&|_| Ok(Measured { duration_ms: 10_000, loudness_lufs, true_peak_db }));
            match found {
                Err(StoreError::Unfit { why }) => why.name(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(finish(3.0, Some(-20.0), Some(-1.0)), "SoundPeak");
        assert_eq!(finish(4.0, Some(-10.0), Some(-6.0)), "SoundLoud");
        assert_eq!(finish(0.0, None, None), "SoundNone");
        assert_eq!(finish(20.0, None, Some(-70.0)), "SoundNone");
        assert_eq!(names(&store.clips).unwrap(), Vec::<String>::new(), "nothing of them is left");

        // One that is there already is judged anew by the gain of another list, without decoding.
        bring(&store, 1).unwrap();
        let never = |_: &Path| -> Result<Measured, Text> { panic!("decoded twice") };
        store.check_admitted(&wanted(1), &never).unwrap();
        let louder = Wanted { gain_db: 6.0, ..wanted(1) };
        assert!(matches!(store.check_admitted(&louder, &never), Err(StoreError::Unfit { .. })));
    }

    #[test]
    fn eviction_keeps_what_is_named_pinned_or_on_its_way() {
        let dir = tempfile::tempdir().unwrap();
        let store = ClipStore::open(dir.path()).unwrap();
        for n in 1..=4 {
            bring(&store, n).unwrap();
            let file = File::open(store.path_of(&wanted(n).sha256).unwrap()).unwrap();
            let day = std::time::Duration::from_secs(86_400 * u64::from(n));
            file.set_modified(std::time::UNIX_EPOCH + day).unwrap();
        }
        let mut part = store.part(&wanted(5)).unwrap().unwrap();
        part.write(b"beginning").unwrap();
        let pin = store.pin(&[wanted(2)]);
        let named = wanted(1).sha256;
        store.evict(wanted(4).bytes * 3 + 50, &|sha256| sha256 == named).unwrap();
        let there = |n: u8| store.has(&wanted(n));
        assert_eq!([there(1), there(2), there(3), there(4)], [true, true, false, true], "the oldest that may go");
        store.evict(0, &|sha256| sha256 == named).unwrap();
        assert_eq!([there(1), there(2), there(3), there(4)], [true, true, false, false]);
        assert!(part.path.exists());
        drop((part, pin));
        store.evict(0, &|_| false).unwrap();
        assert_eq!(names(&store.clips).unwrap(), Vec::<String>::new());
    }
}
