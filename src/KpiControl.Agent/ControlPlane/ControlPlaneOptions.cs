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

    /// <summary>Reference to the bearer token, <c>file:/path</c> or <c>env:NAME</c>; read again at each connect, so it can be renewed in place.</summary>
    [Required(ErrorMessage = "Agent:ControlPlane:Token is missing: give a reference to the agent's token, file:/path or env:NAME.")]
    public string Token { get; set; } = "";

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
            else if (url.Scheme == "http" && !IsLoopback(url))
                yield return new ValidationResult($"Agent:ControlPlane:Address '{address}' would send the token in plain text: write https://, http:// is for loopback alone.");
        }
        if (Token.Length > 0 && !BearerToken.IsReference(Token))
            yield return new ValidationResult("Agent:ControlPlane:Token is not a reference: write file:/path or env:NAME, never the token itself.");
        if (CaFile.Length > 0 && !File.Exists(CaFile))
            yield return new ValidationResult($"Agent:ControlPlane:CaFile '{CaFile}' does not exist: give a PEM file with the control plane's authorities, or leave it empty.");
    }

    // Not Uri.IsLoopback: that takes the name "loopback" too, which may be any machine.
    internal static bool IsLoopback(Uri url) =>
        url.Host == "localhost" || (IPAddress.TryParse(url.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
}
