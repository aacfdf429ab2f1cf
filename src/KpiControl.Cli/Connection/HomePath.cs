namespace KpiControl.Cli.Connection;

internal static class HomePath
{
    public static string Config(Surroundings world) =>
        world.Set("KPICTL_CONFIG")
        ?? Path.Combine(world.Set("XDG_CONFIG_HOME") ?? Path.Combine(Home(world), ".config"), "kpictl", "config.yaml");

    /// <summary>Beside the configuration: what kpictl login keeps.</summary>
    public static string Logins(Surroundings world) => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(Config(world)))!, "logins");

    public static string Expand(string path, Surroundings world) =>
        path.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(Home(world), path[2..]) : path;

    private static string Home(Surroundings world) =>
        world.Set("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
}
