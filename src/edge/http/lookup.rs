//! Names to addresses, for no longer than allowed.
//!
//! The C library's look-up cannot be broken off: with a resolver that swallows every question it takes as long as
//! `/etc/resolv.conf` and whatever else the machine asks say, or for ever. So it has a thread of its own, and each name
//! at most one: whoever asks again while it is still out waits for that same answer, as long as they may. An answer
//! that comes late is there for the next who asks.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, MutexGuard};
use std::sync::{Condvar, Mutex, PoisonError};

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Addresses that are kept of an answer.
const MOST_ADDRESSES: usize = 16;

type Answer = io::Result<Vec<SocketAddr>>;
type Look = fn(&str) -> Answer;

/// Looks names up.
#[derive(Debug)]
pub(super) struct Lookup {
    look: Look,
    out: Arc<Out>,
}

/// Names that are being looked up; with an answer when one has come.
#[derive(Debug, Default)]
struct Out {
    names: Mutex<HashMap<String, Option<Answer>>>,
    came: Condvar,
}

impl Out {
    fn names(&self) -> MutexGuard<'_, HashMap<String, Option<Answer>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Lookup { look: |name| Ok(name.to_socket_addrs()?.collect()), out: Arc::default() }
    }
}

impl Lookup {
    /// The addresses of `host:port`; none when no answer came within `most`.
    fn find(&self, name: &str, most: std::time::Duration) -> Option<Answer> {
        let mut names = self.out.names();
        // A late answer that says no may be out of date; one that says where, the connection tries.
        if let Some(Some(Err(_))) = names.get(name) {
            names.remove(name);
        }
        if !names.contains_key(name) {
            names.insert(name.to_owned(), None);
            let (out, look, asked) = (self.out.clone(), self.look, name.to_owned());
            let thread = std::thread::Builder::new().name("lookup".into()).stack_size(512 * 1024);
            let begun = thread.spawn(move || {
                let answer = look(&asked);
                out.names().insert(asked, Some(answer));
                out.came.notify_all();
            });
            if let Err(error) = begun {
                names.remove(name);
                return Some(Err(error));
            }
        }
        let still = |names: &mut HashMap<String, Option<Answer>>| matches!(names.get(name), Some(None));
        let (mut names, _) =
            self.out.came.wait_timeout_while(names, most, still).unwrap_or_else(PoisonError::into_inner);
        match names.remove(name) {
            // Still out.
            Some(None) => {
                names.insert(name.to_owned(), None);
                None
            }
            Some(answer) => answer,
            // Somebody else took it.
            None => None,
        }
    }
}

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let name = (uri.scheme().zip(uri.authority()))
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority))
            .ok_or_else(|| ureq::Error::BadUri(uri.to_string()))?;
        let mut found = self.empty();
        if let Ok(address) = name.parse() {
            found.push(address);
            return Ok(found);
        }
        let answer = self.find(&name, *timeout.after).ok_or(ureq::Error::Timeout(timeout.reason))?;
        for address in answer.map_err(|_| ureq::Error::HostNotFound)?.into_iter().take(MOST_ADDRESSES) {
            found.push(address);
        }
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    static ASKED: AtomicUsize = AtomicUsize::new(0);
    static GATE: Mutex<bool> = Mutex::new(false);
    static OPENED: Condvar = Condvar::new();

    /// Hangs until the gate opens.
    fn hanging(_: &str) -> Answer {
        ASKED.fetch_add(1, Ordering::Relaxed);
        let open = OPENED.wait_while(GATE.lock().unwrap(), |open| !*open).unwrap();
        drop(open);
        Ok(vec!["192.0.2.7:80".parse().unwrap()])
    }

    #[test]
    fn a_resolver_that_hangs_costs_one_thread_and_its_late_answer_is_taken() {
        let lookup = Lookup { look: hanging, ..Lookup::default() };
        for _ in 0..20 {
            assert!(lookup.find("truyenthanh.example.vn:80", Duration::from_millis(5)).is_none());
        }
        assert_eq!(ASKED.load(Ordering::Relaxed), 1, "one question for one name");
        *GATE.lock().unwrap() = true;
        OPENED.notify_all();
        let answer = lookup.find("truyenthanh.example.vn:80", Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!(answer, ["192.0.2.7:80".parse().unwrap()]);
        // The next time it is asked anew.
        assert!(lookup.find("truyenthanh.example.vn:80", Duration::from_secs(60)).unwrap().is_ok());
        assert_eq!(ASKED.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_late_no_is_asked_again() {
        let unknown = Lookup { look: |_| Err(io::Error::other("NXDOMAIN")), ..Lookup::default() };
        assert!(unknown.find("x:80", Duration::from_secs(60)).unwrap().is_err());
        unknown.out.names().insert("x:80".into(), Some(Err(io::Error::other("late"))));
        let known = Lookup { look: |_| Ok(vec!["192.0.2.7:80".parse().unwrap()]), out: unknown.out };
        assert!(known.find("x:80", Duration::from_secs(60)).unwrap().is_ok());
    }
}
