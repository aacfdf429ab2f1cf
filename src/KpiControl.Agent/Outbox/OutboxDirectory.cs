namespace KpiControl.Agent.Outbox;

/// <summary>
/// The locked directory: one process at a time, and the agent's identity in it. The lock is the kernel's (flock), so a
/// killed process leaves nothing to clean up.
/// </summary>
internal sealed class OutboxDirectory : IDisposable
{
    private readonly FileStream held;

    private OutboxDirectory(string path, FileStream held, Guid instance) => (Path, this.held, Instance) = (path, held, instance);

    public string Path { get; }
    public Guid Instance { get; }

    /// <exception cref="OutboxUnavailableException">Locked by another process, or the disk refuses; the message says what to do.</exception>
    public static OutboxDirectory Open(string path)
    {
        try
        {
            path = Make(path).FullName;
            var held = Lock(path);
            return new OutboxDirectory(path, held, ReadOrCreateInstance(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OutboxUnavailableException($"The outbox directory {path} cannot be used ({e.Message}). Free space or grant this user read and write there, or set Agent:Outbox:Directory to another one.", e);
        }
    }

    // What waits in it are a tenant's figures: of this user alone, where nobody has made it otherwise.
    private static DirectoryInfo Make(string path) => OperatingSystem.IsWindows() ? Directory.CreateDirectory(path)
        : Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    private static FileStream Lock(string path)
    {
        var file = System.IO.Path.Combine(path, "lock");
        try
        {
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(file))
        {
            throw new OutboxUnavailableException($"Another process holds the outbox directory {path}. Stop it, or give this agent its own directory in Agent:Outbox:Directory.", e);
        }
    }

    private static Guid ReadOrCreateInstance(string path)
    {
        var file = System.IO.Path.Combine(path, "instance");
        if (File.Exists(file) && Guid.TryParse(File.ReadAllText(file), out var found))
            return found;
        var instance = Guid.NewGuid();
        var draft = file + ".new";
        using (var stream = new FileStream(draft, FileMode.Create))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(instance.ToString()));
            stream.Flush(flushToDisk: true);
        }
        File.Move(draft, file, overwrite: true);
        return instance;
    }

    public void Dispose() => held.Dispose();
}

/// <summary>The agent cannot start with this outbox; the message is one line for the operator.</summary>
internal sealed class OutboxUnavailableException(string message, Exception inner) : Exception(message, inner);
