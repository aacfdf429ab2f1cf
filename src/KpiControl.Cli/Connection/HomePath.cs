namespace KpiControl.Cli.Connection;

internal static class HomePath
{
    public static string Config(Surroundings world) =>
        world.Set("KPICTL_CONFIG")
        ?? Path.Combine(world.Set("XDG_CONFIG_HOME") ?? Path.Combine(Home(world), ".config"), "kpictl", "config.yaml");

    public static string Expand(string path, Surroundings world) =>
        path.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(Home(world), path[2..]) : path;

    private static string Home(Surroundings world) =>
        world.Set("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
}
