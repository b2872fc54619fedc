//! A folder that is gone after the test.

use std::path::{Path, PathBuf};

use uuid::Uuid;

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("call-session-{}", Uuid::now_v7()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the folder for temporary files is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
