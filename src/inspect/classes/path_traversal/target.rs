//! Files that are asked for by those who have got out of a directory.

use core::ops::Range;

use super::climb::name;

/// What kind of file a path ends at, the telling ones last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// Configuration and logs that a program may name for good reasons.
    Known,
    /// What tells about a machine, and is no setting of a program.
    Machine,
    /// Keys and settings of a user or a checkout, which configuration names now and then.
    Home,
    /// What no client has a reason to name.
    Secret,
}

const SECRET: &[&str] = &[
    "etc/passwd",
    "etc/passwd-",
    "etc/shadow",
    "etc/shadow-",
    "etc/gshadow",
    "etc/master.passwd",
    "etc/sudoers",
    "security/passwd",
    "self/environ",
    "self/cmdline",
    "self/status",
    "self/maps",
    "self/fd",
    "self/stat",
    "self/cwd",
    "self/exe",
    "self/root",
    "1/environ",
    "1/cmdline",
    "proc/version",
    "proc/net",
    "proc/cmdline",
    "proc/sched_debug",
    "proc/mounts",
    "boot.ini",
    "win.ini",
    "windows/system.ini",
    "winnt/system.ini",
    "config/sam",
    "repair/sam",
    "config/system.sav",
    "system32/cmd.exe",
    "web-inf/web.xml",
    "web-inf/classes",
    "web-inf/applicationcontext.xml",
    "meta-inf/context.xml",
    ".bash_history",
    ".htpasswd",
    ".mysql_history",
    ".pgpass",
    ".netrc",
    "wp-config.php",
    "drivers/etc/hosts",
];
const HOME: &[&str] = &[
    ".ssh/id_rsa",
    ".ssh/id_dsa",
    ".ssh/id_ecdsa",
    ".ssh/id_ed25519",
    ".ssh/authorized_keys",
    ".ssh/known_hosts",
    ".ssh/config",
    ".aws/credentials",
    ".aws/config",
    ".git/config",
    ".git/head",
    ".git/index",
    ".svn/entries",
    ".docker/config.json",
    ".kube/config",
    ".git-credentials",
    "serviceaccount/token",
];
const MACHINE: &[&str] = &[
    "etc/hosts",
    "etc/group",
    "etc/issue",
    "etc/motd",
    "etc/hostname",
    "etc/fstab",
    "etc/crontab",
    "etc/resolv.conf",
    "etc/networks",
    "etc/inetd.conf",
    "etc/services",
    "etc/protocols",
    "etc/bashrc",
    "log/auth.log",
    "log/lastlog",
    "log/wtmp",
    "log/secure",
    "proc/cpuinfo",
    "proc/meminfo",
    "ssh/sshd_config",
    "etc/os-release",
    "etc/profile",
    "mlocate/mlocate.db",
    "1/cgroup",
    "self/cgroup",
    "self/mounts",
    "proc/partitions",
    "mail/root",
    "ssh/ssh_host_rsa_key",
    "etc/lsb-release",
    "etc/redhat-release",
    "etc/aliases",
    "etc/exports",
    "wwwroot/web.config",
];
const KNOWN: &[&str] = &[
    "etc/my.cnf",
    "mysql/my.cnf",
    "etc/ssh",
    "apache2/apache2.conf",
    "httpd.conf",
    "nginx/nginx.conf",
    "php.ini",
    ".htaccess",
    ".env",
    "web.config",
    "config.php",
    "configuration.php",
    "settings.php",
    "database.yml",
    "apache2/access.log",
    "apache/access.log",
    "httpd/access_log",
    "nginx/access.log",
    "apache2/error.log",
    "apache/error.log",
    "nginx/error.log",
    "log/vsftpd.log",
    "log/mail.log",
    "log/syslog",
    "log/messages",
    "log/dmesg",
    "config/system",
    "config/security",
    "config/software",
    "global.asa",
    "tomcat-users.xml",
    "application.properties",
    "settings.py",
    "id_rsa",
    "windows/system32",
    "inetpub/wwwroot",
    "desktop.ini",
    "unattend.xml",
    "web.xml",
];

/// Which letters names of each length end with.
#[allow(clippy::indexing_slicing, reason = "the compiler works it out, and says so where it is wrong")]
const ENDS: [u32; 32] = {
    let mut ends = [0_u32; 32];
    let lists = [SECRET, HOME, MACHINE, KNOWN];
    let mut list = 0;
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            let path = lists[list][at].as_bytes();
            let mut length = 1;
            while length < path.len() && path[path.len() - length - 1] != b'/' {
                length += 1;
            }
            ends[length] |= 1 << (path[path.len() - 1] & 31);
            at += 1;
        }
        list += 1;
    }
    ends
};

/// The last segments of a path.
#[derive(Default)]
pub(super) struct Names([Range<usize>; 3]);

impl Names {
    pub(super) fn push(&mut self, at: Range<usize>) {
        let [_, second, third] = core::mem::take(&mut self.0);
        self.0 = [second, third, at];
    }
}

/// What the path read so far ends at.
pub(super) fn of(text: &[u8], names: &Names) -> Option<Target> {
    let [first, second, third] = names.0.clone().map(|at| name(text, at));
    // Nearly all names are left out by this.
    let ends = ENDS.get(third.len()).copied().unwrap_or(0);
    if ends & 1 << (third.last()?.to_ascii_lowercase() & 31) == 0 {
        return None;
    }
    let ends_here = |path: &str| {
        let tail = path.len().checked_sub(third.len()).and_then(|start| path.as_bytes().get(start..));
        if !tail.is_some_and(|tail| tail.eq_ignore_ascii_case(third)) {
            return false;
        }
        let mut parts = path.rsplit('/');
        [third, second, first]
            .into_iter()
            .zip(core::iter::from_fn(|| Some(parts.next())))
            .all(|(name, part)| part.is_none_or(|part| name.eq_ignore_ascii_case(part.as_bytes())))
    };
    let kinds = [(SECRET, Target::Secret), (HOME, Target::Home), (MACHINE, Target::Machine), (KNOWN, Target::Known)];
    kinds.into_iter().find(|(paths, _)| paths.iter().any(|path| ends_here(path))).map(|(_, kind)| kind)
}
