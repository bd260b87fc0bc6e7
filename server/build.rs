//! Rebuilds the server when the front end it carries inside was rebuilt: new files have new names,
//! which the compiler cannot know to watch.

fn main() {
    println!("cargo:rerun-if-changed=../dist");
    println!("cargo:rerun-if-changed=../assets/demo");
}
