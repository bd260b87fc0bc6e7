//! The conversation machine, played through as a browser and a server would play it.

mod lifetime;
mod play;
mod talk;
