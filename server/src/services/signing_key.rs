//! The key that signs visitors' tokens: made at the first start, kept outside the database in a
//! file that only its owner can read.

use crate::clock::Entropy;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// 256 bits, as RFC 7518 section 3.2 asks for HS256.
const LENGTH: usize = 32;

/// Reads the key from `file`, or makes one if there is none.
///
/// # Errors
/// When the file cannot be read or written, or is not a key.
pub fn load_or_create(file: &Path, entropy: &dyn Entropy) -> io::Result<Vec<u8>> {
    match fs::read(file) {
        Ok(key) if key.len() == LENGTH => Ok(key),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is not a signing key: move it away and a new one is made", file.display()),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = vec![0; LENGTH];
            entropy.fill(&mut key);
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut handle = options.open(file)?;
            handle.write_all(&key)?;
            // A token signed before a crash must still verify after it.
            handle.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::load_or_create;
    use crate::clock::SystemEntropy;

    #[test]
    fn the_key_is_made_once_and_guarded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signing.key");
        let key = load_or_create(&file, &SystemEntropy).unwrap();
        assert_eq!(load_or_create(&file, &SystemEntropy).unwrap(), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&file, "short").unwrap();
        assert!(load_or_create(&file, &SystemEntropy).is_err());
    }
}
