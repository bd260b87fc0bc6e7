//! The assistant runtime: prompt, variables, model stream. Knows no HTTP route and no database.
