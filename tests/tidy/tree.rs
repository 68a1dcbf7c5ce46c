//! The files that the rules look at, and what a rule finds. Knows no rule.

use std::{fmt, path::Path, process::Command};

pub struct File {
    pub path: String,
    /// Empty when the file is not UTF-8.
    pub text: String,
    pub bytes: usize,
}

impl File {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    pub fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

pub struct Tree {
    pub files: Vec<File>,
}

impl Tree {
    /// What git tracks or would track, from the clone that holds `start`.
    pub fn of_clone(start: &Path) -> Tree {
        let root = start.parent().expect("the tests folder lies inside the clone");
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .expect("git is installed");
        assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
        let listed = String::from_utf8(listed.stdout).expect("paths are UTF-8");
        let files = listed
            .split_terminator('\0')
            // A file that is tracked but deleted cannot be read; its absence is nobody's fault here.
            .filter_map(|path| Some((path, std::fs::read(root.join(path)).ok()?)))
            .map(|(path, data)| File {
                path: path.to_owned(),
                bytes: data.len(),
                text: String::from_utf8(data).unwrap_or_default(),
            })
            .collect();
        Tree { files }
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    #[cfg(test)]
    pub fn made(files: &[(&str, &str)]) -> Tree {
        let files = files
            .iter()
            .map(|(path, text)| File { path: (*path).into(), text: (*text).into(), bytes: text.len() })
            .collect();
        Tree { files }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// The places of findings, for the rules' own tests.
#[cfg(test)]
pub fn places(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
}
