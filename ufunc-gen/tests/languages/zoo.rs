// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Rust can say of types. Prints where the compiler has some of them.

#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::mem::{align_of, offset_of, size_of};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

pub mod shapes {
    #[derive(Debug, Clone)]
    pub struct Point {
        pub x: u8,
        pub y: u64,
        pub z: u16,
    }

    #[repr(C)]
    pub struct Layout {
        pub tag: u8,
        pub wide: u32,
        pub bytes: [u8; 3],
    }

    #[repr(C, packed)]
    pub struct Packed {
        pub a: u8,
        pub b: u32,
    }

    pub struct Pair(pub u32, pub char);
    pub struct Unit;
    pub struct Generic<T, const N: usize> {
        pub items: [T; N],
        pub next: Option<Box<Generic<T, N>>>,
    }

    #[repr(C)]
    pub union Bits {
        pub float: f32,
        pub int: u32,
    }
}
use shapes::*;

#[derive(Clone, Copy)]
pub enum CLike {
    Zero,
    Seven = 7,
}
#[repr(i8)]
#[derive(Clone, Copy)]
pub enum Negative {
    Minus = -5,
    Plus = 5,
}
#[repr(u64)]
#[derive(Clone, Copy)]
pub enum Wide {
    Small = 1,
    Large = 0xffff_ffff_ffff,
}
#[repr(u8)]
pub enum Tagged {
    Number(u32),
    Text { text: &'static str, length: u16 },
    Nothing,
}
pub enum Single {
    Only(u64, u8),
}
pub enum Nested {
    Inner(Tagged),
    Other(Option<Tagged>),
    None,
}
pub enum WithGeneric<T> {
    Some(T),
    Both(T, u8),
}
pub enum Big {
    One(u128),
    Two(i128),
}
pub enum Empty {}

pub trait Speak {
    fn speak(&self) -> u32;
}
impl Speak for Point {
    fn speak(&self) -> u32 {
        self.x.into()
    }
}
impl Speak for u32 {
    fn speak(&self) -> u32 {
        *self
    }
}

pub struct Everything<'a> {
    pub point: Point,
    pub layout: Layout,
    pub packed: Packed,
    pub pair: Pair,
    pub unit: Unit,
    pub generic: Generic<u16, 4>,
    pub bits: Bits,
    pub c_like: CLike,
    pub negative: Negative,
    pub wide: Wide,
    pub tagged: Tagged,
    pub single: Single,
    pub nested: Nested,
    pub with_generic: WithGeneric<u32>,
    pub big: Big,
    pub niche: Option<&'a u32>,
    pub plain: Option<u32>,
    pub deep: Option<Option<bool>>,
    pub result: Result<Vec<u8>, String>,
    pub slice: &'a [u32],
    pub text: &'a str,
    pub owned: String,
    pub list: Vec<Point>,
    pub speaker: Box<dyn Speak>,
    pub rc: Rc<Point>,
    pub map: HashMap<u32, String>,
    pub tree: BTreeMap<u8, u64>,
    pub tuple: (u8, u32, char),
    pub function: fn(u32, &Point) -> u64,
    pub raw: *const u8,
    pub raw_mut: *mut Everything<'a>,
    pub flag: bool,
    pub atomic: AtomicU32,
    pub huge: u128,
    pub never: Option<Empty>,
}

#[no_mangle]
pub extern "C" fn c_function(layout: &Layout, count: u32) -> u32 {
    layout.wide + count
}

#[inline(never)]
pub fn generic<T: Speak>(value: &T) -> u32 {
    value.speak()
}

#[inline(never)]
pub fn use_closure(f: &dyn Fn(u32) -> u32) -> u32 {
    f(3)
}

async fn step(n: u32) -> u32 {
    n + 1
}

pub async fn machine(start: u32) -> u32 {
    let text = String::from("kept over the await");
    let more = step(start).await;
    more + text.len() as u32
}

fn pointed(a: u32, p: &Point) -> u64 {
    u64::from(a) + p.y
}

macro_rules! place {
    ($name:literal, $ty:ty, $($member:tt),*) => {
        println!("{} size {}", $name, size_of::<$ty>());
        $(println!("{}.{} at {}", $name, stringify!($member), offset_of!($ty, $member));)*
    };
}

fn main() {
    place!("zoo__shapes__Point", Point, x, y, z);
    place!("zoo__shapes__Layout", Layout, tag, wide, bytes);
    place!("zoo__shapes__Packed", Packed, a, b);
    place!("zoo__shapes__Pair", Pair, 0, 1);
    place!("zoo__shapes__Bits", Bits, float, int);
    place!("zoo__shapes__Generic_u16__4_", Generic<u16, 4>, items, next);
    place!("zoo__Tagged", Tagged,);
    place!("zoo__Single", Single,);
    place!("zoo__Nested", Nested,);
    place!("zoo__Big", Big,);
    place!(
        "zoo__Everything", Everything<'static>, point, layout, packed, pair, unit, generic, bits, c_like,
        negative, wide, tagged, single, nested, with_generic, big, niche, plain, deep, result, slice,
        text, owned, list, speaker, rc, map, tree, tuple, function, raw, raw_mut, flag, atomic, huge
    );
    place!("_u8__u32__char_", (u8, u32, char), 0, 1, 2);
    assert!(align_of::<Big>() == 16);

    let number = 5;
    let everything = Everything {
        point: Point { x: 1, y: 2, z: 3 },
        layout: Layout { tag: 1, wide: 2, bytes: [0; 3] },
        packed: Packed { a: 1, b: 2 },
        pair: Pair(1, 'c'),
        unit: Unit,
        generic: Generic { items: [0; 4], next: None },
        bits: Bits { float: 1.0 },
        c_like: CLike::Seven,
        negative: Negative::Minus,
        wide: Wide::Large,
        tagged: Tagged::Text { text: "t", length: 1 },
        single: Single::Only(1, 2),
        nested: Nested::Other(Some(Tagged::Nothing)),
        with_generic: WithGeneric::Both(1, 2),
        big: Big::Two(-1),
        niche: Some(&number),
        plain: Some(1),
        deep: Some(None),
        result: Err("no".into()),
        slice: &[1, 2],
        text: "text",
        owned: "owned".into(),
        list: vec![],
        speaker: Box::new(7u32),
        rc: Rc::new(Point { x: 1, y: 2, z: 3 }),
        map: HashMap::new(),
        tree: BTreeMap::new(),
        tuple: (1, 2, 'c'),
        function: pointed,
        raw: std::ptr::null(),
        raw_mut: std::ptr::null_mut(),
        flag: true,
        atomic: AtomicU32::new(3),
        huge: 1,
        never: None,
    };
    let closure = |n: u32| n + everything.pair.0 + number;
    let sum = use_closure(&closure)
        + generic(&everything.point)
        + generic(&number)
        + c_function(&everything.layout, 2)
        + everything.speaker.speak()
        + everything.atomic.load(Ordering::Relaxed);
    let future = Box::pin(machine(sum));
    std::hint::black_box((&everything, future));
}
