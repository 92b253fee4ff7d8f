//! The languages that the pages speak: Swedish and English, which are built in, and others that an
//! operator adds. [`words`] has every text that a person reads, [`choice`] says which language they read it
//! in.

pub mod choice;
pub mod file;
mod tag;
pub mod words;

use std::fmt;

pub use self::choice::Wishes;
pub use self::tag::Tag;
pub use self::words::Words;

/// A language that the pages speak. Languages are made once, at the start, and stay.
#[derive(Clone, Copy)]
pub struct Language(&'static Spoken);

/// What makes a language.
struct Spoken {
    tag: Tag,
    name: &'static str,
    direction: Direction,
    /// Other tags that are answered in it.
    also: Vec<Tag>,
    /// The keys of words that are English, for want of others.
    missing: Vec<&'static str>,
    words: Words,
}

/// In which direction a language is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From left to right.
    LeftToRight,
    /// From right to left.
    RightToLeft,
}

impl Direction {
    /// The word of HTML for it (`dir`).
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::LeftToRight => "ltr",
            Direction::RightToLeft => "rtl",
        }
    }
}

impl Language {
    /// Swedish.
    pub const SWEDISH: Language = Language(&SWEDISH);
    /// English.
    pub const ENGLISH: Language = Language(&ENGLISH);
    /// The ones that need no file.
    pub const BUILT_IN: [Language; 2] = [Language::SWEDISH, Language::ENGLISH];

    /// Languages are never given back: they are read once, at the start.
    fn new(spoken: Spoken) -> Language {
        Language(Box::leak(Box::new(spoken)))
    }

    /// Its name in the protocols.
    pub fn tag(self) -> &'static Tag {
        &self.0.tag
    }

    /// Its name in itself.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// In which direction it is written.
    pub fn direction(self) -> Direction {
        self.0.direction
    }

    /// The keys of the words that it does not have.
    pub fn missing(self) -> &'static [&'static str] {
        &self.0.missing
    }
}

static SWEDISH: Spoken = Spoken {
    tag: Tag::built_in("sv"),
    name: "Svenska",
    direction: Direction::LeftToRight,
    also: Vec::new(),
    missing: Vec::new(),
    words: words::SWEDISH,
};

static ENGLISH: Spoken = Spoken {
    tag: Tag::built_in("en"),
    name: "English",
    direction: Direction::LeftToRight,
    also: Vec::new(),
    missing: Vec::new(),
    words: words::ENGLISH,
};

impl PartialEq for Language {
    fn eq(&self, other: &Language) -> bool {
        self.tag() == other.tag()
    }
}

impl Eq for Language {}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({})", self.tag())
    }
}

/// The languages of an installation.
#[derive(Clone, Debug)]
pub struct Languages {
    usual: Language,
    all: Vec<Language>,
}

impl Default for Languages {
    fn default() -> Languages {
        Languages {
            usual: Language::SWEDISH,
            all: Language::BUILT_IN.to_vec(),
        }
    }
}

impl Languages {
    /// The built-in ones and these. `Err` says what does not go together.
    pub fn new(usual: &Tag, added: &[Language]) -> Result<Languages, String> {
        let mut languages = Languages::default();
        for language in added {
            let spoken = &language.0;
            let taken = std::iter::once(&spoken.tag).chain(&spoken.also);
            if let Some(taken) = taken
                .into_iter()
                .find(|tag| languages.spoken_as(tag).is_some())
            {
                return Err(format!("{taken} is spoken by two files, or built in"));
            }
            languages.all.push(*language);
        }
        let Some(usual) = languages.named(usual) else {
            return Err(format!(
                "{usual} is neither built in nor in one of the files"
            ));
        };
        Ok(Languages { usual, ..languages })
    }

    /// All of them, in the order in which people are offered them.
    pub fn all(&self) -> impl Iterator<Item = Language> {
        self.all.iter().copied()
    }

    /// The one of whoever asks for nothing that is spoken.
    pub fn usual(&self) -> Language {
        self.usual
    }

    /// The language of exactly this tag.
    pub fn named(&self, tag: &Tag) -> Option<Language> {
        self.all().find(|language| language.tag() == tag)
    }

    /// The language of something that was begun in it. A language may have been taken away since.
    pub fn spoken(&self, tag: &Tag) -> Language {
        self.named(tag).unwrap_or(self.usual)
    }

    /// The language that answers to a tag.
    fn spoken_as(&self, tag: &Tag) -> Option<Language> {
        let also = |language: &Language| language.0.also.contains(tag);
        self.named(tag).or_else(|| self.all().find(also))
    }
}
