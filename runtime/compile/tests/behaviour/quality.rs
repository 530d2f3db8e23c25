use ufunc_compile::opcode::*;
use ufunc_compile::*;
use crate::asm::*;
use crate::common::*;

#[test]
fn look() {
    let target = Target::MapValue(Map::Descriptor(4));
    let mut counter = 0u64;
    let world = World::default().data(target, &raw mut counter as u64);
    let mut program = vec![];
    program.extend(load_imm64(R1, pseudo::MAP_VALUE, 4, 0));
    program.extend([mov_imm(R2, 1), lock_add(R1, 0, R2), mov_imm(R0, 0), exit()]);
    let empty = [mov_imm(R0, 0), exit()];
    let pc = [load(size::DW, R6, R1, 112), mov(R1,R10), add_imm(R1, -16), mov_imm(R2, 8), mov(R3,R6), call_helper(112), load(size::DW,R0,R10,-16), call_local(1), exit(), alu64(alu::ADD, R0,R0), mov(R0, R1), exit()];
    let world = world.helper(112, 3, 0);
    for (n, p) in [("empty", &empty[..]), ("counter", &program), ("probe", &pc)] {
        let t = std::time::Instant::now();
        for _ in 0..200 { world.compile(p).unwrap(); }
        let c = world.compile(p).unwrap();
        println!("{n}: compile {:?}, {} bytes", t.elapsed()/200, c.bytes.len());
        if n == "probe" {continue}
        let e = world.load(&c).unwrap();
        let f: extern "C" fn(u64) -> u64 = unsafe { std::mem::transmute(e.addresses().start) };
        for _ in 0..3 {
        let t = std::time::Instant::now();
        for i in 0..100_000_000u64 { std::hint::black_box(f(std::hint::black_box(i))); }
        println!("{n}: {:?}/call", t.elapsed()/100_000_000);
        }
    }
}
