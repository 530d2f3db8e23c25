//! t
use std::process::Command;
use ufunc_inject::*;
fn main() -> anyhow::Result<()> {
    let a: Vec<_> = std::env::args().skip(1).collect();
    let t = std::time::Instant::now();
    let agent = agent_path()?;
    if a[0] == "start" {
        let mut c = Command::new(&a[1]);
        c.args(&a[2..]);
        let mut s = Session::start(c, &agent)?;
        println!("{:?} {:?}", t.elapsed(), s.hello()?);
        let id = s.begin("x", b"y")?;
        println!("{id} {:x}", s.reserve_code(id, 100, None)?);
        s.resume()?;
        println!("{:?}", t.elapsed());
        println!("{}", s.wait()?);
    } else if a[0] == "inject" {
        let mut s = Session::inject(a[1].parse()?, &agent)?;
        println!("{:?} {:?}", t.elapsed(), s.hello()?.agent);
        println!("{:?}", s.ended(std::time::Duration::ZERO));
    } else if a[0] == "connect" {
        let s = Session::connect(a[1].parse()?)?;
        println!("{:?}", s.map(|s| s.hello()));
    }
    Ok(())
}
