//! A server in a temporary folder.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    Failure,
    programs::{find, run},
};

/// How long a server may take until it answers. It takes a fraction of a second, and much longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(30);

/// Keeps a server as long as its standard input is open, so that it goes with whoever started it, however that ends. At the
/// end it is stopped at once, and its folder is removed unless a line said otherwise.
const KEEPER: &str = r#"
folder=$1; signal=$2; shift 2
"$@" >>"$folder/log" 2>&1 &
server=$!
read -r wish
kill -"${wish:-$signal}" "$server"
wait "$server"
[ -n "$wish" ] || rm -rf "$folder"
"#;

/// Postgres does not run as root.
const USER: &str = "postgres";

/// A server in a temporary folder, on a Unix socket. It is stopped and removed when this is dropped, and when the process
/// dies.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    /// Whether this process is root's, so that the server's have to be somebody else's.
    root: bool,
    /// The shell that keeps the server, while it runs.
    keeper: Option<Child>,
}

impl Server {
    /// Makes a server and starts it.
    ///
    /// # Errors
    ///
    /// [`Failure`] when Postgres is not installed, or does not come up.
    pub fn start() -> Result<Self, Failure> {
        let (folder, root) = folder()?;
        let mut server = Self { folder, root, keeper: None };
        let mut initdb = as_user(root, &server.folder, find("initdb")?);
        initdb.arg("--pgdata").arg(server.data()).args(["--username", USER, "--auth", "trust", "--encoding", "UTF8"]);
        run(initdb.args(["--locale", "C.UTF-8", "--no-sync"]))?;
        server.start_again()?;
        Ok(server)
    }

    /// The address of the server and of the database that every server has.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{USER}@localhost/postgres?host={}", self.folder.display())
    }

    /// The folder of its socket, which is that of port 5432.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the server as a crash would: nobody is told, nothing is written.
    ///
    /// # Errors
    ///
    /// [`Failure::Folder`] when it cannot be told.
    pub fn stop(&mut self) -> Result<(), Failure> {
        self.end(b"QUIT\n")
    }

    /// Starts a server that was stopped, with what it had.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it does not come up.
    pub fn start_again(&mut self) -> Result<(), Failure> {
        let mut keeper = keep(self.root, &self.folder, "QUIT");
        keeper.arg(find("postgres")?).arg("-D").arg(self.data());
        keeper.arg("-k").arg(&self.folder);
        // Durability costs time and is not what is tested: the machine does not die.
        for setting in ["listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=200"] {
            keeper.args(["-c", setting]);
        }
        let keeper = keeper.spawn().map_err(|source| Failure::Start { program: "sh".into(), source })?;
        self.keeper = Some(keeper);
        let mut waited = Duration::ZERO;
        while !self.is_up()? {
            let ended =
                self.keeper.as_mut().is_none_or(|keeper| keeper.try_wait().is_ok_and(|status| status.is_some()));
            if ended || waited > PATIENCE {
                let said = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(Failure::Silent { said });
            }
            thread::sleep(LOOK_AGAIN);
            waited += LOOK_AGAIN;
        }
        Ok(())
    }

    fn is_up(&self) -> Result<bool, Failure> {
        let mut ready = Command::new(find("pg_isready")?);
        ready.arg("--quiet").arg("--host").arg(&self.folder).args(["--username", USER]);
        match run(&mut ready) {
            Ok(_) => Ok(true),
            Err(Failure::Failed { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn end(&mut self, wish: &[u8]) -> Result<(), Failure> {
        if let Some(mut keeper) = self.keeper.take() {
            if let Some(mut input) = keeper.stdin.take() {
                io::Write::write_all(&mut input, wish)?;
            }
            keeper.wait()?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.keeper.is_some() {
            // The input is closed without a word: the keeper cleans up.
            let _ = self.end(b"");
        } else {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A new folder that the server's user can write to, and whether this process is root's.
pub(crate) fn folder() -> Result<(PathBuf, bool), Failure> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // A socket's path is 107 bytes at most.
    let folder = env::temp_dir().join(format!("pg-{}-{number}-{since}", process::id()));
    fs::create_dir_all(&folder)?;
    let root = folder.metadata()?.uid() == 0;
    if root {
        let (user, group) = postgres()?;
        chown(&folder, Some(user), Some(group))?;
    }
    Ok((folder, root))
}

/// A keeper in this folder, which still has to be told what to keep. `signal` is what ends that at once.
pub(crate) fn keep(root: bool, folder: &Path, signal: &str) -> Command {
    let mut keeper = as_user(root, folder, "sh");
    keeper.args(["-c", KEEPER, "sh"]).arg(folder).arg(signal);
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    keeper
}

/// A program that runs as the user whose servers are.
pub(crate) fn as_user(root: bool, home: &Path, program: impl AsRef<OsStr>) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"]).arg(program);
    // The folder one is in may not be open to the other user.
    command.current_dir("/").env("HOME", home);
    command
}

/// The user and group that the server runs as.
fn postgres() -> Result<(u32, u32), Failure> {
    let number = |which| -> Result<u32, Failure> {
        let output = run(Command::new("id").args([which, USER])).map_err(|_| Failure::NoUser)?;
        String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| Failure::NoUser)
    };
    Ok((number("-u")?, number("-g")?))
}
