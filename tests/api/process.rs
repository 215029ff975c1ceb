//! The real binary, as an operator runs it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use crate::support::Client;

/// The binary with these arguments. A file that may not grow is an error to it, not its end.
fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_khoosheh")]).args(arguments);
    command
}

/// A command with these variables, and nothing of this process's environment.
fn bare(mut command: Command, variables: &[(&str, &str)]) -> Command {
    command.env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a command that ends has answered.
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub async fn run(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Outcome {
    let mut child = bare(binary(arguments), variables).spawn().unwrap();
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output: Output =
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A server that runs; killed when it is dropped.
pub struct Server {
    child: Child,
    pub address: String,
    /// The database that it was told of; empty where it was told none by this variable.
    pub database_url: String,
    /// What it has printed until it was ready.
    pub greeting: String,
    /// What it has logged since.
    log: Arc<Mutex<String>>,
    _files: tempfile::TempDir,
}

impl Server {
    /// Starts `serve` on a database, and waits until it is ready.
    pub async fn serve(url: &str, variables: &[(&str, &str)]) -> Self {
        let own = [
            ("DATABASE_URL", url),
            ("KHOOSHEH_BIND", "127.0.0.1:0"),
            ("KHOOSHEH_WORKERS", "2"),
            ("KHOOSHEH_REQUESTS_PER_MINUTE", "0"),
        ];
        Self::start(&["serve"], &[&own[..], variables].concat()).await
    }

    /// The same through a shell, which may limit what the process can do before it becomes it.
    pub async fn serve_through(script: &str, url: &str) -> Self {
        let own = [
            ("DATABASE_URL", url),
            ("KHOOSHEH_BIND", "127.0.0.1:0"),
            ("KHOOSHEH_WORKERS", "2"),
            ("KHOOSHEH_REQUESTS_PER_MINUTE", "0"),
        ];
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_khoosheh"), "serve"]);
        Self::begin(shell, &["serve"], &own).await
    }

    /// Starts a command that serves. It is ready when a line names its address.
    pub async fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::begin(binary(arguments), arguments, variables).await
    }

    async fn begin(command: Command, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let url = format!("file://{}", files.path().display());
        let mut child = bare(command, &[&[("KHOOSHEH_ATTACHMENTS_URL", url.as_str())], variables].concat())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
        for pipe in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        drop(sender);
        let mut greeting = String::new();
        let address = loop {
            let line = lines.recv().await.unwrap_or_else(|| panic!("{arguments:?} ended: {greeting}"));
            greeting.push_str(&format!("{line}\n"));
            let found = line
                .split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':')
                .find(|word| word.starts_with("127.0.0.1:"));
            if let Some(address) = found {
                break address.to_owned();
            }
        };
        let log = Arc::new(Mutex::new(String::new()));
        let kept = log.clone();
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let database_url =
            variables.iter().find(|(name, _)| *name == "DATABASE_URL").map_or("", |(_, url)| url).to_owned();
        Self { child, database_url, address: format!("http://{address}"), greeting, log, _files: files }
    }

    /// A client of nobody.
    pub fn client(&self) -> Client {
        Client { http: reqwest::Client::new(), address: self.address.clone(), token: None }
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The bytes of memory that the process has at this moment.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// How many sockets the process has open.
    pub fn sockets(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// Lets no file grow beyond so many bytes, or any.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = format!("--fsize={}:", bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string()));
        let limited =
            Command::new("prlimit").args(["--pid", &self.child.id().to_string(), &limit]).status().unwrap();
        assert!(limited.success());
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits for its end; gives its exit status and what it has logged.
    pub async fn ended_with_log(self) -> (i32, String) {
        let log = self.log.clone();
        let code = self.ended().await;
        (code, log.lock().unwrap().clone())
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> i32 {
        let end = tokio::task::spawn_blocking(move || self.child.wait().unwrap().code().unwrap_or(-1));
        tokio::time::timeout(std::time::Duration::from_secs(30), end)
            .await
            .expect("an end within 30 s")
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server (ended before: {ended:?}) has logged:\n{}", self.log());
        }
    }
}
