using System.ComponentModel.DataAnnotations;
using System.Net;

namespace KpiControl.Agent.ControlPlane;

/// <summary>Section <c>Agent:ControlPlane</c>: the only door the agent knows, always outbound.</summary>
internal sealed class ControlPlaneOptions : IValidatableObject
{
    public const string Section = "Agent:ControlPlane";

    /// <summary><c>https://control.example.com</c>; several, separated by commas, are tried in turn. <c>http://</c> only on loopback.</summary>
    [Required(ErrorMessage = "Agent:ControlPlane:Address is missing: give the control plane's URL, for example https://control.example.com.")]
    public string Address { get; set; } = "";

    /// <summary>Reference to a bearer token, <c>file:/path</c> or <c>env:NAME</c>, read again at each connect; for a control plane without a door for certificates.</summary>
    public string Token { get; set; } = "";

    /// <summary>Reference to the one-time token that <c>kpictl agents enrol</c> printed; read only while the agent has no certificate.</summary>
    public string EnrolmentToken { get; set; } = "";

    /// <summary>Where the token is exchanged: the control plane's address for people, <c>https://control.example.com:7400</c>.</summary>
    public string EnrolmentAddress { get; set; } = "";

    /// <summary>Where the agent keeps its key and certificate; empty: <c>identity</c> in the outbox directory.</summary>
    public string IdentityDirectory { get; set; } = "";

    /// <summary>PEM of a certificate and of its key that somebody else renews; read again at each connect.</summary>
    public string CertificateFile { get; set; } = "";
    public string CertificateKeyFile { get; set; } = "";

    public bool HasToken => Token.Length > 0;
    public bool Enrols => EnrolmentToken.Length > 0;

    /// <summary>PEM file of the authorities that may have signed the control plane's certificate; empty: those of the system.</summary>
    public string CaFile { get; set; } = "";

    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00", ErrorMessage = "Agent:ControlPlane:ConnectTimeout must lie between 00:00:00.1 and 00:05:00.")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>First wait before connecting again; it doubles, with jitter, up to <see cref="LongestPause"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00", ErrorMessage = "Agent:ControlPlane:ShortestPause must lie between 00:00:00.01 and 00:01:00.")]
    public TimeSpan ShortestPause { get; set; } = TimeSpan.FromMilliseconds(250);

    [Range(typeof(TimeSpan), "00:00:00.01", "00:10:00", ErrorMessage = "Agent:ControlPlane:LongestPause must lie between 00:00:00.01 and 00:10:00.")]
    public TimeSpan LongestPause { get; set; } = TimeSpan.FromSeconds(15);

    public IReadOnlyList<string> Addresses => Address.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var address in Addresses)
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
                yield return new ValidationResult($"Agent:ControlPlane:Address '{address}' is not a URL: write https://host:port.");
            else if (url.Scheme == "http" && !HasToken)
                yield return new ValidationResult($"Agent:ControlPlane:Address '{address}' cannot ask for a certificate: write https:// and the port that the control plane has for agents (Listen:Agents).");
            else if (url.Scheme == "http" && !IsLoopback(url))
                yield return new ValidationResult($"Agent:ControlPlane:Address '{address}' would send the token in plain text: write https://, http:// is for loopback alone.");
        }
        if (new[] { HasToken, Enrols, CertificateFile.Length > 0 }.Count(given => given) != 1)
            yield return new ValidationResult("Agent:ControlPlane needs one of EnrolmentToken (the file:/path of what kpictl agents enrol printed), CertificateFile and Token: give the one by which the agent proves who it is.");
        if (Enrols && !BearerToken.IsReference(EnrolmentToken))
            yield return new ValidationResult("Agent:ControlPlane:EnrolmentToken is not a reference: write file:/path or env:NAME, never the token itself.");
        if (Enrols && !(Uri.TryCreate(EnrolmentAddress, UriKind.Absolute, out var enrol) && (enrol.Scheme == "https" || (enrol.Scheme == "http" && IsLoopback(enrol)))))
            yield return new ValidationResult("Agent:ControlPlane:EnrolmentAddress must be the https:// address at which people reach the control plane: the token is exchanged there.");
        if ((CertificateFile.Length > 0) != (CertificateKeyFile.Length > 0))
            yield return new ValidationResult("Agent:ControlPlane:CertificateFile and CertificateKeyFile belong together: give both, or neither.");
        if (File.Exists(CertificateKeyFile) && KeyFile.IsOpenToOthers(CertificateKeyFile))
            yield return new ValidationResult($"Agent:ControlPlane:CertificateKeyFile '{CertificateKeyFile}' is open to every user of this machine: whoever reads it can pass for this agent. chmod 600 (or 640) it.");
        foreach (var reference in new[] { Token, EnrolmentToken }.Where(one => one.StartsWith("file:", StringComparison.Ordinal) && File.Exists(one["file:".Length..]) && KeyFile.IsOpenToOthers(one["file:".Length..])))
            yield return new ValidationResult($"Agent:ControlPlane: {reference} is open to every user of this machine: whoever reads it can pass for this agent. chmod 600 (or 640) it.");
        if (Token.Length > 0 && !BearerToken.IsReference(Token))
            yield return new ValidationResult("Agent:ControlPlane:Token is not a reference: write file:/path or env:NAME, never the token itself.");
        if (CaFile.Length > 0 && !File.Exists(CaFile))
            yield return new ValidationResult($"Agent:ControlPlane:CaFile '{CaFile}' does not exist: give a PEM file with the control plane's authorities, or leave it empty.");
    }

    // Not Uri.IsLoopback: that takes the name "loopback" too, which may be any machine.
    internal static bool IsLoopback(Uri url) =>
        url.Host == "localhost" || (IPAddress.TryParse(url.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
}
