//! Shuts this process in before it looks at a file nobody has judged yet: no sockets, no other program, no other
//! process, no file but to read. Whoever gets into the decoder by a hostile clip is in a room without doors.
//!
//! It is a seccomp filter, a few lines of the kernel's own small language (classic BPF), written out here because it
//! is short and never changes. It names what is refused and not what is allowed: an allow list would have to know
//! every call of every C library on every machine, and a station where no clip decodes any more is worse than a
//! shorter list. Refused calls answer "operation not permitted"; another machine's calls (32 bit on 64 bit) end the
//! process. On a kernel without such filters a network namespace of its own does, which has no way out either.

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
    // What another process of the same account may have of the processor, and memory shared with it.
    libc::SYS_process_madvise,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
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

/// Calls younger than the library's tables; such have one number on every machine. fchmodat2, setxattrat, removexattrat.
const REFUSED_NEW: &[libc::c_long] = &[452, 463, 466];

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

/// The same once more for the wide numbers (sizes, owners, times) of a 32-bit machine, which are calls of their own
/// there.
#[cfg(target_arch = "arm")]
const REFUSED_WIDE: &[libc::c_long] = &[
    libc::SYS_truncate64,
    libc::SYS_ftruncate64,
    libc::SYS_chown32,
    libc::SYS_lchown32,
    libc::SYS_fchown32,
    UTIMENSAT_TIME64,
];
#[cfg(target_arch = "arm")]
const UTIMENSAT_TIME64: libc::c_long = 412;
#[cfg(target_arch = "x86_64")]
const REFUSED_WIDE: &[libc::c_long] = &[libc::SYS_utime];
#[cfg(not(any(target_arch = "x86_64", target_arch = "arm")))]
const REFUSED_WIDE: &[libc::c_long] = &[];

/// Calls that name a process, and in which argument: permitted upon oneself (or nobody: 0), as a program that aborts
/// and one that asks for its own limits need them.
const UPON_ONESELF: &[(libc::c_long, u32)] = &[(libc::SYS_tgkill, 0), (libc::SYS_prlimit64, 0)];

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

fn program(machine: u32, own_pid: u32) -> Vec<libc::sock_filter> {
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
    for number in REFUSED.iter().chain(REFUSED_NEW).chain(REFUSED_OLD).chain(REFUSED_WIDE) {
        lines.push(unless(IS, *number as u32, 1));
        lines.push(line(RETURN, REFUSE));
    }
    for (number, whom) in UPON_ONESELF {
        lines.push(unless(IS, *number as u32, 5));
        lines.push(line(LOAD, ARGUMENTS + 8 * whom));
        lines.push(libc::sock_filter { code: IS, jt: 2, jf: 0, k: own_pid });
        lines.push(libc::sock_filter { code: IS, jt: 1, jf: 0, k: 0 });
        lines.push(line(RETURN, REFUSE));
        lines.push(line(RETURN, libc::SECCOMP_RET_ALLOW));
    }
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
    let mut lines = program(machine, std::process::id());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer: its own small language, as far as it is used here.
    fn verdict(lines: &[libc::sock_filter], machine: u32, number: u32, arguments: [u32; 6]) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let l = &lines[at];
            at += 1;
            match l.code {
                LOAD if l.k == NUMBER => loaded = number,
                LOAD if l.k == OF_MACHINE => loaded = machine,
                LOAD => {
                    assert!(l.k >= ARGUMENTS && (l.k - ARGUMENTS).is_multiple_of(8), "the low half of an argument");
                    loaded = arguments[(l.k - ARGUMENTS) as usize / 8];
                }
                IS => at += usize::from(if loaded == l.k { l.jt } else { l.jf }),
                HAS_ANY => at += usize::from(if loaded & l.k != 0 { l.jt } else { l.jf }),
                RETURN => return l.k,
                other => panic!("{other:#x} is not used here"),
            }
        }
    }

    /// Numbers as the kernel's own tables have them, not as a library repeats them.
    #[cfg(target_arch = "x86_64")]
    mod table {
        pub const REFUSED: &[u32] = &[
            29, 41, 53, 56, 57, 58, 59, 62, 64, 68, 76, 77, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 101, 129,
            132, 133, 141, 142, 144, 165, 188, 189, 190, 197, 198, 199, 200, 203, 235, 240, 241, 248, 250, 251, 258,
            259, 260, 261, 263, 264, 265, 266, 268, 272, 280, 297, 298, 308, 310, 311, 314, 316, 321, 322, 323, 424,
            425, 434, 435, 437, 438, 452, 463, 466,
        ];
        // read write close fstat lseek mmap mprotect munmap brk rt_sigreturn futex clock_gettime exit_group statx
        pub const ALLOWED: &[u32] = &[0, 1, 3, 5, 8, 9, 10, 11, 12, 15, 202, 228, 231, 332];
        pub const OPEN: &[(u32, usize)] = &[(2, 1), (257, 2)];
        pub const TGKILL_PRLIMIT: [u32; 2] = [234, 302];
    }
    #[cfg(target_arch = "aarch64")]
    mod table {
        pub const REFUSED: &[u32] = &[
            5, 6, 7, 14, 15, 16, 30, 33, 34, 35, 36, 37, 38, 40, 45, 46, 52, 53, 54, 55, 88, 97, 117, 118, 119, 122,
            129, 130, 138, 140, 180, 181, 186, 190, 194, 198, 199, 217, 219, 220, 221, 240, 241, 268, 270, 271, 274,
            276, 280, 281, 282, 424, 425, 434, 435, 437, 438, 452, 463, 466,
        ];
        // read write close fstat lseek mmap mprotect munmap brk rt_sigreturn futex clock_gettime exit_group statx
        pub const ALLOWED: &[u32] = &[63, 64, 57, 80, 62, 222, 226, 215, 214, 139, 98, 113, 94, 291];
        pub const OPEN: &[(u32, usize)] = &[(56, 2)];
        pub const TGKILL_PRLIMIT: [u32; 2] = [131, 261];
    }
    #[cfg(target_arch = "arm")]
    mod table {
        pub const REFUSED: &[u32] = &[
            2, 8, 9, 10, 11, 14, 15, 16, 21, 26, 37, 38, 39, 40, 83, 92, 93, 94, 95, 97, 120, 154, 156, 178, 182, 190,
            193, 194, 198, 207, 212, 226, 227, 228, 235, 236, 237, 238, 241, 269, 274, 275, 281, 288, 299, 303, 307,
            309, 311, 314, 323, 324, 325, 326, 328, 329, 330, 331, 333, 337, 348, 363, 364, 375, 376, 377, 380, 382,
            386, 387, 388, 412, 424, 425, 434, 435, 437, 438, 452, 463, 466,
        ];
        // read write close llseek mmap2 mprotect munmap brk rt_sigreturn fstat64 futex exit_group statx
        // clock_gettime64 futex_time64, and what is ARM's own: set_tls
        pub const ALLOWED: &[u32] = &[3, 4, 6, 140, 192, 125, 91, 45, 173, 197, 240, 248, 397, 403, 422, 0x000f_0005];
        pub const OPEN: &[(u32, usize)] = &[(5, 1), (322, 2)];
        pub const TGKILL_PRLIMIT: [u32; 2] = [268, 369];
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    #[test]
    fn the_filter_knows_this_machines_calls() {
        let machine = MACHINE.unwrap();
        let lines = program(machine, 4321);
        let ask = |number, arguments| verdict(&lines, machine, number, arguments);
        for number in table::REFUSED {
            assert_eq!(ask(*number, [0; 6]), REFUSE, "call {number}");
        }
        for number in table::ALLOWED {
            assert_eq!(ask(*number, [0; 6]), libc::SECCOMP_RET_ALLOW, "call {number}");
        }
        for (number, how) in table::OPEN {
            // O_RDONLY with O_CLOEXEC and O_LARGEFILE; then to write, both, to create, to empty, a nameless file.
            for (flags, answer) in [
                (0, libc::SECCOMP_RET_ALLOW),
                (0o2_000_000 | 0o100_000 | 0o400_000, libc::SECCOMP_RET_ALLOW),
                (1, REFUSE),
                (2, REFUSE),
                (0o100, REFUSE),
                (0o1_000, REFUSE),
                (0o20_000_001, REFUSE),
            ] {
                let mut arguments = [0; 6];
                arguments[*how] = flags;
                assert_eq!(ask(*number, arguments), answer, "call {number}, flags {flags:o}");
            }
        }
        for number in table::TGKILL_PRLIMIT {
            for (pid, answer) in [(4321, libc::SECCOMP_RET_ALLOW), (0, libc::SECCOMP_RET_ALLOW), (1, REFUSE)] {
                assert_eq!(ask(number, [pid, 0, 0, 0, 0, 0]), answer, "call {number} upon {pid}");
            }
        }
        assert_eq!(verdict(&lines, machine ^ 1, table::ALLOWED[0], [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(ask(0x4000_0000, [0; 6]), REFUSE, "by its x32 number");
        }
    }
}
