//! The programs of PostgreSQL, and servers of our own that can be stopped and replaced.

use std::{
    ffi::OsStr,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::Command,
};

/// The folder with the programs of a server; none where there is none, which is a failure in CI.
pub fn programs() -> Option<PathBuf> {
    let of_version = |entry: std::fs::DirEntry| {
        Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
    };
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(of_version)
        .collect::<Vec<_>>();
    let on_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    let mut folders: Vec<_> =
        installed.into_iter().chain(on_path.into_iter().map(|folder| (0, folder))).collect();
    folders.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let found = folders.into_iter().map(|(_, folder)| folder).find(|folder| folder.join("pg_ctl").exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "the programs of a PostgreSQL server are missing");
        eprintln!("skipped: the programs of a PostgreSQL server are missing");
    }
    found
}

/// Runs a program to its end. It succeeds.
pub async fn run(mut command: Command) {
    let output = tokio::task::spawn_blocking(move || (command.output().unwrap(), command)).await.unwrap();
    let (output, command) = output;
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A server of our own, which is ended with the test.
pub struct Postgres {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Postgres {
    /// A new server, which runs.
    pub async fn primary() -> Option<Self> {
        let server = Self::new(programs()?);
        run(server
            .command("initdb", ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]))
        .await;
        server.start().await;
        Some(server)
    }

    /// A standby of this server, which runs and follows it.
    pub async fn standby(&self) -> Self {
        let server = Self::new(self.programs.clone());
        let of = format!("host=127.0.0.1 port={} user=postgres", self.port);
        run(server.command("pg_basebackup", ["-d", of.as_str(), "-R", "-c", "fast", "--no-sync"])).await;
        server.start().await;
        server
    }

    fn new(programs: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { programs, folder, port }
    }

    /// A program, with the folder of this server's data.
    fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, program: &str, arguments: I) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .current_dir(self.folder.path())
            .env_remove("PGDATA")
            .arg("-D")
            .arg(self.data())
            .args(arguments);
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub async fn start(&self) {
        // What nobody waits for is not written before somebody does.
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c autovacuum=off -c wal_writer_delay=10s",
            self.port
        );
        let log = self.folder.path().join("log");
        let mut command = self.command("pg_ctl", ["start", "-w", "-t", "20", "-s", "-l"]);
        command.arg(log).args(["-o", options.as_str()]);
        run(command).await;
    }

    pub async fn stop(&self) {
        run(self.command("pg_ctl", ["stop", "-w", "-t", "20", "-s", "-m", "fast"])).await;
    }

    /// It ends as if the power had failed.
    pub async fn crash(&self) {
        run(self.command("pg_ctl", ["stop", "-w", "-t", "20", "-s", "-m", "immediate"])).await;
    }

    /// A standby becomes a primary, on a new timeline.
    pub async fn promote(&self) {
        run(self.command("pg_ctl", ["promote", "-w", "-t", "20", "-s"])).await;
    }

    /// The address of a database of it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            let _ = self.command("pg_ctl", ["stop", "-w", "-t", "20", "-s", "-m", "immediate"]).output();
        }
    }
}

/// The user and group of PostgreSQL, where the test runs as root: a server does not.
pub fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap_or(u32::MAX)
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}
