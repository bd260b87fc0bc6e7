//! A knowledge base: the sections of some Markdown files, in order.

use super::markdown::{Section, sections};
use crate::settings::KnowledgeSource;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Everything the built-in model can quote.
pub(crate) struct Knowledge {
    sections: Vec<Section>,
}

impl Knowledge {
    /// Reads all of `source`.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read as UTF-8 text.
    pub(crate) fn load(source: &KnowledgeSource) -> io::Result<Self> {
        let sections = match source {
            KnowledgeSource::Files(files) => files
                .iter()
                .flat_map(|(name, text)| sections(title(Path::new(name)), text))
                .collect(),
            KnowledgeSource::Folder(folder) => {
                let mut all = Vec::new();
                for path in markdown_files(folder)? {
                    all.extend(sections(title(&path), &fs::read_to_string(&path)?));
                }
                all
            }
        };
        Ok(Self { sections })
    }

    /// Whether there is nothing to quote.
    pub(crate) fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Its sections, in the order of files and headings.
    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The titles of its files, each once.
    pub(super) fn topics(&self) -> Vec<&str> {
        let mut topics: Vec<&str> = Vec::new();
        for topic in self.sections.iter().filter_map(|section| section.path.first()) {
            if !topics.contains(&topic.as_str()) {
                topics.push(topic);
            }
        }
        topics
    }
}

/// The `*.md` files directly in `folder`, sorted, so that every machine builds the same index.
fn markdown_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What a file without a title of its own is called.
fn title(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("Untitled")
}

#[cfg(test)]
mod tests {
    use super::Knowledge;
    use crate::settings::KnowledgeSource;

    #[test]
    fn a_folder_is_read_in_order_and_only_its_markdown() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("b.md", "# Second\ntext"),
            ("a.md", "# First\ntext\n## Part\ntext"),
            ("c.txt", "# Third\ntext"),
            ("untitled.md", "text"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::create_dir(folder.path().join("d.md")).unwrap();
        let knowledge =
            Knowledge::load(&KnowledgeSource::Folder(folder.path().to_owned())).unwrap();
        assert_eq!(knowledge.topics(), ["First", "Second", "untitled"]);
        assert_eq!(knowledge.sections().len(), 4);
        let missing = KnowledgeSource::Folder(folder.path().join("missing"));
        assert!(Knowledge::load(&missing).is_err());
    }
}
