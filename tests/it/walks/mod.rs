//! Whole logins as people go through them who have no mouse, no scripts, two tabs, or who press what
//! browsers have to press.

mod keyboard;
mod steps;
mod tabs;
mod without_scripts;
