//! Shuts this process in before it looks at a file nobody has judged yet: no sockets, no other program, no other
//! process, no file but to read. Whoever gets into the decoder by a hostile clip is in a room without doors.
//!
//! It is a seccomp filter, a few lines of the kernel's own small language (classic BPF), written out here because it
//! is short and never changes. It names what is refused and not what is allowed: an allow list would have to know
//! every call of every C library on every machine, and a station where no clip decodes any more is worse than a
//! shorter list. Refused calls answer "operation not permitted"; another machine's calls (32 bit on 64 bit) end the
//! process. What reaches another process by its number (signals, limits, priorities) is refused as well: the daemon has
//! the same user. On a kernel without such filters a network namespace of its own does, which has no way out either.

use std::io;

/// Shuts the calling thread in, for good. To be called while the process has no other thread.
///
/// # Errors
/// When the kernel offers neither filters nor namespaces: nothing is shut in then.
pub fn shut_in() -> io::Result<()> {
    match filter() {
        // Not compiled into the kernel, or a machine this file does not know.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => own_network().map_err(|_| e),
        done => done,
    }
}

fn own_network() -> io::Result<()> {
    // SAFETY: takes flags only; changes what this process may reach and no memory.
    match unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `linux/audit.h`: which machine's calls these are.
#[cfg(target_arch = "x86_64")]
const MACHINE: Option<u32> = Some(0xC000_003E);
#[cfg(target_arch = "aarch64")]
const MACHINE: Option<u32> = Some(0xC000_00B7);
#[cfg(target_arch = "arm")]
const MACHINE: Option<u32> = Some(0x4000_0028);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
const MACHINE: Option<u32> = None;

/// What no decoder needs, on every machine.
const REFUSED: &[libc::c_long] = &[
    // The network. Sockets handed down there are none: the program closes all but its standard streams.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_io_uring_setup, // has ways of its own to all of these
    // Other programs and processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_prlimit64, // a processor time of one second for the daemon would end it
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setaffinity,
    libc::SYS_process_madvise,
    // What is on the disk.
    libc::SYS_openat2,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // Corners of the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_add_key,
    libc::SYS_keyctl,
];

/// The same under the names that only older machines have.
#[cfg(any(target_arch = "x86_64", target_arch = "arm"))]
const REFUSED_OLD: &[libc::c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(target_arch = "aarch64")]
const REFUSED_OLD: &[libc::c_long] = &[libc::SYS_renameat];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
const REFUSED_OLD: &[libc::c_long] = &[];

/// What only one of them has: calls with wider numbers on 32 bits, and the oldest of all.
#[cfg(target_arch = "arm")]
const REFUSED_HERE: &[libc::c_long] =
    &[libc::SYS_truncate64, libc::SYS_ftruncate64, libc::SYS_chown32, libc::SYS_fchown32, libc::SYS_lchown32];
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] = &[libc::SYS_utime];
#[cfg(not(any(target_arch = "x86_64", target_arch = "arm")))]
const REFUSED_HERE: &[libc::c_long] = &[];

/// The calls that open a file, and which argument says how.
#[cfg(any(target_arch = "x86_64", target_arch = "arm"))]
const OPENING: &[(libc::c_long, u32)] = &[(libc::SYS_openat, 2), (libc::SYS_open, 1)];
#[cfg(not(any(target_arch = "x86_64", target_arch = "arm")))]
const OPENING: &[(libc::c_long, u32)] = &[(libc::SYS_openat, 2)];

/// Opening for anything but reading.
const NOT_ONLY_READING: u32 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u32;

// `struct seccomp_data`: the call's number, the machine, ... and at 16 its arguments, 8 bytes each, low half first on
// every machine above.
const NUMBER: u32 = 0;
const OF_MACHINE: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const HAS_ANY: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

fn line(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

/// Skips `lines` unless the test holds.
fn unless(code: u16, k: u32, lines: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: lines, k }
}

fn program(machine: u32) -> Vec<libc::sock_filter> {
    let mut lines = vec![
        line(LOAD, OF_MACHINE),
        libc::sock_filter { code: IS, jt: 1, jf: 0, k: machine },
        line(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        line(LOAD, NUMBER),
    ];
    if cfg!(target_arch = "x86_64") {
        // The same machine's calls by their x32 numbers.
        lines.push(unless(HAS_ANY, 0x4000_0000, 1));
        lines.push(line(RETURN, REFUSE));
    }
    for number in REFUSED.iter().chain(REFUSED_OLD).chain(REFUSED_HERE) {
        lines.push(unless(IS, *number as u32, 1));
        lines.push(line(RETURN, REFUSE));
    }
    // A signal to itself is how a process gives up (`abort`).
    lines.push(unless(IS, libc::SYS_tgkill as u32, 4));
    lines.push(line(LOAD, ARGUMENTS));
    lines.push(unless(IS, std::process::id(), 1));
    lines.push(line(RETURN, libc::SECCOMP_RET_ALLOW));
    lines.push(line(RETURN, REFUSE));
    for (number, how) in OPENING {
        lines.push(unless(IS, *number as u32, 4));
        lines.push(line(LOAD, ARGUMENTS + 8 * how));
        lines.push(unless(HAS_ANY, NOT_ONLY_READING, 1));
        lines.push(line(RETURN, REFUSE));
        lines.push(line(RETURN, libc::SECCOMP_RET_ALLOW));
    }
    lines.push(line(RETURN, libc::SECCOMP_RET_ALLOW));
    lines
}

fn filter() -> io::Result<()> {
    let Some(machine) = MACHINE else { return Err(io::Error::from_raw_os_error(libc::ENOSYS)) };
    let mut lines = program(machine);
    let len = u16::try_from(lines.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: lines.as_mut_ptr() };
    // SAFETY: both calls take numbers and one pointer to a whole program of `len` lines that lives until they have
    // returned; the kernel copies it and checks it before it counts. What they change is what this thread may ask of
    // the kernel, no memory of ours.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        let filter = libc::SECCOMP_MODE_FILTER as libc::c_ulong;
        if libc::prctl(libc::PR_SET_SECCOMP, filter, &raw const program, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
