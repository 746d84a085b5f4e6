//! The classes of attack, one file each.

use super::reading::Class;
use super::request::RequestClass;

/// Those that judge one text at a time.
pub static TEXT: &[&Class] = &[];

/// Those that judge a request as a whole.
pub static REQUEST: &[&RequestClass] = &[];
