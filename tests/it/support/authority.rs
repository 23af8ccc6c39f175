//! An authority of a test's own, by openssl, and what it vouches for: good papers and bad ones. Only whoever is told of
//! it trusts it.

use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority { folder };
        // Of another name than any other one.
        let name = uuid::Uuid::new_v4();
        authority.openssl(&format!(
            "req -x509 {NEW_KEY} -days 2 -subj /CN={name} -keyout ca.key -out ca.pem"
        ));
        authority
    }

    /// As `SSL_CERT_FILE` takes it.
    pub fn file(&self) -> String {
        let file = self.path().join("ca.pem");
        file.to_str().unwrap().to_owned()
    }

    /// A certificate with its key, for `alternatives` such as `DNS:api.stripe.com`; without `days` it ends at once.
    pub fn vouch(&self, name: &str, alternatives: &str, days: u32) -> PathBuf {
        let extensions = format!("basicConstraints=CA:FALSE\nsubjectAltName={alternatives}\n");
        std::fs::write(self.path().join("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "req {NEW_KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} \
             -extfile extensions -out {name}.pem"
        ));
        self.path().join(name)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn openssl(&self, line: &str) {
        let ended = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(self.path())
            .output()
            .expect("tests/run installs openssl");
        assert!(ended.status.success(), "openssl {line}: {ended:?}");
    }
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
