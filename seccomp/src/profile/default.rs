//! The default profile of containers.

use super::{Action, Comparison, Condition, Profile};
use crate::Architecture;

const EPERM: Action = Action::Errno(1);

/// `CLONE_NEW*`, but for that of time, which `clone` does not take.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// What every program needs, or may have without harm.
const ALWAYS: &str = "
    _llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 arm_sync_file_range bind breakpoint
    brk cacheflush cachestat capget capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres
    clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
    copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
    epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64
    fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
    flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64
    futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu
    getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer
    getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit
    getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch
    inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64
    io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr
    lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir
    mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify mq_open
    mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv
    msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open
    pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2
    prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev
    pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages
    removexattr removexattrat rename renameat renameat2 restart_syscall riscv_flush_icache riscv_hwprobe rmdir rseq
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
    sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
    sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg
    sendto set_robust_list set_thread_area set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
    setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32
    setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown
    sigaltstack signalfd signalfd4 sigprocmask sigreturn socketpair splice stat stat64 statfs statfs64 statmount statx
    swapcontext symlink symlinkat sync sync_file_range sync_file_range2 syncfs sysinfo tee tgkill time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask
    uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write
    writev";

/// What a capability adds, by its number (`linux/capability.h`).
const BY_CAPABILITY: [(u32, &str); 13] = [
    (CAP_DAC_READ_SEARCH, "open_by_handle_at"),
    (CAP_SYS_MODULE, "delete_module finit_module init_module"),
    (CAP_SYS_RAWIO, "ioperm iopl"),
    (CAP_SYS_CHROOT, "chroot"),
    (CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"),
    (CAP_SYS_PACCT, "acct"),
    (
        CAP_SYS_ADMIN,
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
         lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr perf_event_open quotactl quotactl_fd
         setdomainname sethostname setns syslog umount umount2 unshare",
    ),
    (CAP_SYS_BOOT, "reboot"),
    (CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    (CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime"),
    (CAP_SYS_TTY_CONFIG, "vhangup"),
    (CAP_SYSLOG, "syslog"),
    (CAP_PERFMON, "perf_event_open"),
];

const CAP_DAC_READ_SEARCH: u32 = 2;
const CAP_SYS_MODULE: u32 = 16;
const CAP_SYS_RAWIO: u32 = 17;
const CAP_SYS_CHROOT: u32 = 18;
const CAP_SYS_PTRACE: u32 = 19;
const CAP_SYS_PACCT: u32 = 20;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYS_BOOT: u32 = 22;
const CAP_SYS_NICE: u32 = 23;
const CAP_SYS_TIME: u32 = 25;
const CAP_SYS_TTY_CONFIG: u32 = 26;
const CAP_SYSLOG: u32 = 34;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Address families of sockets that may be made, from and to. Not among them are `AF_ALG`, `AF_VSOCK`, which leads out of
/// the container, and families that hardly anyone needs, whose code in the kernel had many faults.
const FAMILIES: [(u64, u64); 8] =
    [(0, 11), (13, 18), (21, 22), (24, 24), (26, 33), (35, 36), (39, 39), (41, 45)];

/// What `personality` may be asked for: Linux, without randomization and for 32 bits, and what it is.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

impl Profile {
    /// The profile for a container whose programs can have these capabilities: bit 21 is `CAP_SYS_ADMIN`. For the
    /// architecture of this program, and those that its kernel can run besides.
    ///
    /// As strict as Docker's, and stricter where that can be circumvented: sockets of address families that are refused
    /// cannot be had through `socketcall`, nor by a number with a high bit set. Programs of old 32-bit C libraries, which
    /// make all their sockets that way, get none. On s390x they all do, so there `socketcall` makes sockets of any family.
    /// The README has a table of what is refused.
    pub fn default_for(capabilities: u64) -> Self {
        Self::default_on(Architecture::NATIVE, capabilities)
    }

    /// The default profile for another architecture.
    pub fn default_on(architecture: Architecture, capabilities: u64) -> Self {
        let has = |capability: u32| capabilities & (1 << capability) != 0;
        let mut profile = Self::new(EPERM).rule(Action::Allow, ALWAYS.split_whitespace());
        profile.architectures.push(architecture);
        profile.architectures.extend(besides(architecture));
        for (capability, names) in BY_CAPABILITY {
            if has(capability) {
                profile = profile.rule(Action::Allow, names.split_whitespace());
            }
        }
        if has(CAP_BPF) {
            profile = profile.rule(Action::Allow, ["bpf"]);
        }
        for (first, last) in FAMILIES {
            let conditions = [Comparison::Ge(first), Comparison::Le(last)];
            profile = profile.rule_if(Action::Allow, ["socket"], conditions.map(|of| Condition::new(0, of)));
        }
        if architecture == Architecture::S390x {
            let socket = Comparison::MaskedEq { mask: 0xffff_ffff, value: 1 };
            profile = profile.rule_if(Action::Allow, ["socketcall"], [Condition::new(0, socket)]);
        }
        for personality in PERSONALITIES {
            let condition = Condition::new(0, Comparison::Eq(personality));
            profile = profile.rule_if(Action::Allow, ["personality"], [condition]);
        }
        if !has(CAP_SYS_ADMIN) {
            // The flags of clone3 are behind a pointer. Without it programs take clone.
            profile = profile.rule(architecture.enosys(), ["clone3"]);
            let flags = if architecture == Architecture::S390x { 1 } else { 0 };
            let none_new = Comparison::MaskedEq { mask: NEW_NAMESPACES, value: 0 };
            profile = profile.rule_if(Action::Allow, ["clone"], [Condition::new(flags, none_new)]);
        }
        profile
    }
}

/// What else the kernel of an architecture can run.
fn besides(architecture: Architecture) -> &'static [Architecture] {
    match architecture {
        Architecture::X86_64 => &[Architecture::X86, Architecture::X32],
        Architecture::Aarch64 => &[Architecture::Arm],
        Architecture::S390x => &[Architecture::S390],
        Architecture::Mips64 => &[Architecture::Mips, Architecture::Mips64N32],
        Architecture::MipsEl64 => &[Architecture::MipsEl, Architecture::MipsEl64N32],
        _ => &[],
    }
}
