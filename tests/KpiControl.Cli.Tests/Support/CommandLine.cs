namespace KpiControl.Cli.Tests.Support;

internal sealed record CommandResult(int Exit, string Out, string Error);

/// <summary>Runs kpictl as its executable would, with streams, variables and a home of its own.</summary>
internal sealed class CommandLine : IDisposable
{
    private DirectoryInfo home = Directory.CreateTempSubdirectory("kpictl-");
    private bool isGuest;
    private readonly Dictionary<string, string> variables = [];

    public CommandLine(ScriptedControlPlane? server = null)
    {
        variables["HOME"] = home.FullName;
        if (server is null)
            return;
        variables["KPICTL_SERVER"] = server.Address;
        variables["KPICTL_TOKEN"] = "token-of-a-test";
        variables["KPICTL_TENANT"] = "acme";
    }

    public TimeProvider Clock { get; init; } = TimeProvider.System;
    /// <summary>Lines that somebody types on a terminal; null: there is no terminal.</summary>
    public string? Typed { get; set; }

    public string Home => home.FullName;
    public string ConfigFile => Path.Combine(Home, ".config", "kpictl", "config.yaml");

    /// <summary>The same home and variables at another time; the home stays when this one is disposed.</summary>
    public CommandLine At(TimeProvider clock)
    {
        var other = new CommandLine { Clock = clock };
        other.home.Delete();
        (other.home, other.isGuest) = (home, true);
        foreach (var (name, value) in variables)
            other.variables[name] = value;
        return other;
    }

    public CommandLine With(string variable, string? value)
    {
        if (value is null)
            variables.Remove(variable);
        else
            variables[variable] = value;
        return this;
    }

    public string File(string name, string content)
    {
        var path = Path.Combine(Home, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, content);
        if (!OperatingSystem.IsWindows())
            System.IO.File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    public Task<CommandResult> Run(params string[] args) => Run(CancellationToken.None, args);

    public async Task<CommandResult> Run(CancellationToken token, params string[] args)
    {
        var (standard, error) = (new StringWriter(), new StringWriter());
        var exit = await Kpictl.Run(args, World(standard, error), token);
        return new CommandResult(exit, standard.ToString(), error.ToString());
    }

    public Surroundings World(TextWriter standard, TextWriter error) => new()
    {
        Out = standard, Error = error, In = Typed is null ? TextReader.Null : new StringReader(Typed), InIsTerminal = Typed is not null, ErrorIsTerminal = Typed is not null, Clock = Clock, Variable = name => variables.GetValueOrDefault(name),
    };

    public void Dispose()
    {
        if (!isGuest)
            home.Delete(recursive: true);
    }
}
