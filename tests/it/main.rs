//! The stories: real HTTP, real mutual TLS to the simulator, real databases, a real browser.

mod support;

mod authorize;
mod binding;
mod certificates;
mod chromium;
mod cors;
mod crash;
mod demands;
mod evidence;
mod example;
mod failure;
mod foreign;
mod form_post;
mod introspection;
mod keys;
mod login;
mod logout;
mod logs;
mod notices;
mod ops;
mod pages;
mod par;
mod pitfalls;
mod races;
mod refresh;
mod revocation;
mod same_device;
mod screens;
mod signed;
mod simulator;
mod sso;
mod storage;
mod tls;
mod token;
mod userinfo;
