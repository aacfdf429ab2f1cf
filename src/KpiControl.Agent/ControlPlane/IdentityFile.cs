using System.Security.Cryptography;
using System.Text;
using KpiControl.Agent.Outbox;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.ControlPlane;

/// <summary>
/// The agent's key and certificate, in one file that nobody else may read: both are replaced at once, or neither.
/// </summary>
internal sealed class IdentityFile(IOptions<ControlPlaneOptions> options, IOptions<OutboxOptions> outbox)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite;

    public string Directory => options.Value.IdentityDirectory is { Length: > 0 } given ? given : Path.Combine(outbox.Value.Directory, "identity");

    private string File => Path.Combine(Directory, "agent.pem");

    private string KeyFile => Path.Combine(Directory, "enrolling.pem");

    /// <summary>Null where there is none yet.</summary>
    /// <exception cref="InvalidDataException">It is there, and cannot be used; the message says what to do.</exception>
    public ClientCertificate? Read()
    {
        try
        {
            if (!System.IO.File.Exists(File))
                return null;
            if (!OperatingSystem.IsWindows() && (System.IO.File.GetUnixFileMode(File) & Others) != 0)
                throw new InvalidDataException($"The agent's key in {File} is open to other users of this machine: chmod 600 it, and have the agent enrolled anew if somebody may have read it.");
            var pem = System.IO.File.ReadAllText(File);
            return ClientCertificate.Of(pem, pem);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"The agent's identity in {File} cannot be read ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}). Restore it, or remove it and have the agent enrolled anew.", e);
        }
    }

    /// <summary>The key to enrol with, the same until there is a certificate for it.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    public ECDsa EnrolmentKey()
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        try
        {
            if (System.IO.File.Exists(KeyFile))
                key.ImportFromPem(System.IO.File.ReadAllText(KeyFile));
            else
                Replace(KeyFile, key.ExportPkcs8PrivateKeyPem());
            return key;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw new InvalidDataException($"The key in {KeyFile}, with which the agent began to enrol, cannot be read ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}). Remove it; where the token was used up, have a new one made.", e);
        }
    }

    /// <exception cref="IOException">The disk refuses.</exception>
    public void Write(string certificates, string keyPem)
    {
        Replace(File, certificates.TrimEnd() + "\n" + keyPem);
        System.IO.File.Delete(KeyFile);
    }

    private void Replace(string file, string pem)
    {
        if (OperatingSystem.IsWindows())
            System.IO.Directory.CreateDirectory(Directory);
        else
            System.IO.Directory.CreateDirectory(Directory, OwnerOnly | UnixFileMode.UserExecute);
        var draft = file + ".new";
        System.IO.File.Delete(draft);
        var create = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            create.UnixCreateMode = OwnerOnly;
        using (var stream = new FileStream(draft, create))
        {
            stream.Write(Encoding.ASCII.GetBytes(pem.TrimEnd() + "\n"));
            stream.Flush(flushToDisk: true);
        }
        System.IO.File.Move(draft, file, overwrite: true);
    }
}
