using System.Net.Sockets;
using System.Text.RegularExpressions;
using Google.Rpc;
using Grpc.Core;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Connection;

/// <summary>A failed call in words: what, where, what to do next.</summary>
internal sealed partial class RpcFailure(Target target)
{
    /// <param name="world">Where to.</param>
    /// <param name="failed">The call's end.</param>
    /// <param name="file">The file that was sent, where there is one.</param>
    public int Print(Surroundings world, RpcException failed, string? file = null)
    {
        var rich = failed.GetRpcStatus();
        var info = rich?.GetDetail<ErrorInfo>();
        var what = What(failed, rich, world);
        world.Error.WriteLine($"error: {(file is null ? "" : file + ": ")}{Talk.OneLine(what)}{(string.IsNullOrEmpty(info?.Reason) ? "" : $" ({info.Reason})")}");
        foreach (var line in Where(rich, file))
            world.Error.WriteLine(Talk.OneLine(line));
        if (Next(failed.StatusCode, info, rich, world) is { } next)
            world.Error.WriteLine($"  next: {Talk.OneLine(next)}");
        return failed.StatusCode == StatusCode.Unauthenticated ? ExitCode.NotAuthenticated : ExitCode.Failed;
    }

    /// <summary>Whether the server was never reached, as against it saying that it is unavailable.</summary>
    public static bool NotReached(RpcException failed) =>
        failed is { StatusCode: StatusCode.Unavailable or StatusCode.Internal, Status.DebugException: HttpRequestException or SocketException or IOException };

    /// <summary>The next request may fare better: not so when the server is away or does not know the caller.</summary>
    public static bool IsAboutTheRequest(RpcException failed) => failed.StatusCode
        is StatusCode.InvalidArgument or StatusCode.AlreadyExists or StatusCode.FailedPrecondition or StatusCode.NotFound or StatusCode.Aborted or StatusCode.PermissionDenied;

    private string What(RpcException failed, Google.Rpc.Status? rich, Surroundings world) => failed switch
    {
        _ when NotReached(failed) => $"cannot reach the control plane at {target.Server.AbsoluteUri.TrimEnd('/')}: {Cause(failed)}",
        { StatusCode: StatusCode.DeadlineExceeded } => $"no answer from {target.Server.Authority} in time",
        { StatusCode: StatusCode.Unauthenticated } when TokenClaims.Of(target.Token).Expiry is { } expiry && expiry < world.Clock.GetUtcNow() =>
            $"the token ({target.TokenSource}) expired {Ages.Past(expiry, world.Clock.GetUtcNow())}",
        { StatusCode: StatusCode.Unauthenticated } => $"{target.Server.Authority} does not accept the token ({target.TokenSource}): {failed.Status.Detail}",
        { StatusCode: StatusCode.Unimplemented } => $"the control plane at {target.Server.Authority} does not know this call",
        // The detail repeats the first violations; all of them follow.
        _ when rich?.GetDetail<BadRequest>()?.FieldViolations.Count is > 0 and var count => count == 1 ? "refused" : $"refused, for {count} reasons",
        { Status.Detail.Length: > 0 } => failed.Status.Detail,
        _ => $"the control plane answered {failed.StatusCode}",
    };

    private static IEnumerable<string> Where(Google.Rpc.Status? rich, string? file)
    {
        foreach (var violation in rich?.GetDetail<BadRequest>()?.FieldViolations ?? [])
            yield return file is not null && violation.Reason.Length > 0 ? Finding(file, violation)
                : $"  {(violation.Field.Length > 0 ? violation.Field + ": " : "")}{violation.Description}{Suffix(violation.Reason)}";
        // One alone is the sentence above in the same words.
        if (rich?.GetDetail<PreconditionFailure>()?.Violations is { Count: > 1 } violations)
            foreach (var violation in violations)
                yield return $"  {(violation.Subject.Length > 0 ? violation.Subject + ": " : "")}{violation.Description}{Suffix(violation.Type)}";
    }

    // As validate writes a finding.
    private static string Finding(string file, BadRequest.Types.FieldViolation violation)
    {
        var place = InText().Match(violation.Description);
        return place.Success
            ? $"{file}:{place.Groups[1]}:{place.Groups[2]}: error {violation.Reason}: {place.Groups[3]}"
            : $"{file}: error {violation.Reason}: {violation.Description}";
    }

    private string? Next(StatusCode code, ErrorInfo? info, Google.Rpc.Status? rich, Surroundings world)
    {
        if (rich?.GetDetail<Help>()?.Links.FirstOrDefault()?.Description is { Length: > 0 } told)
            return told;
        var wait = rich?.GetDetail<RetryInfo>()?.RetryDelay?.ToTimeSpan();
        return (code, info?.Reason) switch
        {
            (StatusCode.Unauthenticated, _) => $"renew {Renewal(world)}",
            (_, "ETAG_MISMATCH") => "somebody changed it meanwhile: look again and repeat",
            (_, "APPROVAL_REQUIRED") => "this environment takes changes by approval only: kpictl propose -f job.yaml, then kpictl changes",
            (_, "NOT_PAUSED") => "nothing is to be done; kpictl describe shows what it waits for",
            (_, "CHANGE_STALE" or "CHANGE_EXPIRED") => "propose it again: kpictl propose -f job.yaml",
            (_, "PLAN_MOVED") => "look at the plan of now: kpictl plan PATH",
            (_, "APPROVAL_MISSING" or "NOT_AN_OWNER" or "DIGEST_MISMATCH") => "look at it: kpictl changes CHANGE",
            (StatusCode.PermissionDenied, _) => "ask an administrator of the tenant (a platform operator where it concerns every tenant) for the verb; docs/authorization.md has who may what",
            (StatusCode.NotFound, _) => "check the name, tenant and environment: kpictl get (agents: kpictl agents)",
            (StatusCode.ResourceExhausted, _) => wait is null ? "try again later" : $"try again in {Ages.Span(wait.Value)}",
            (StatusCode.Unavailable, _) when rich is not null => wait is null ? "try again" : $"try again in {Ages.Span(wait.Value)}",
            (StatusCode.Unavailable or StatusCode.Internal, _) when rich is null =>
                $"is it running, and is {target.ServerSource} right? (on this machine: ./dev status)",
            (StatusCode.DeadlineExceeded, _) => "give it longer with --timeout, or look at the control plane's health",
            (StatusCode.Unimplemented, _) => "compare the versions: kpictl version",
            _ => null,
        };
    }

    private string Renewal(Surroundings world) => target.TokenSource switch
    {
        Target.LoginSource => "it: kpictl login",
        "KPI_TOKEN" => "it: eval \"$(./dev env)\"",
        "KPICTL_TOKEN" when world.Set("KPI_TOKEN") is not null => "KPICTL_TOKEN, or unset it to use KPI_TOKEN",
        var source => source,
    };

    // As the control plane writes where in a submitted text a finding is.
    [GeneratedRegex(@"^line (\d+), column (\d+): (.*)\z", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex InText();

    private static string Suffix(string reason) => reason.Length > 0 ? $" [{reason}]" : "";

    private static string Cause(RpcException failed)
    {
        var cause = failed.Status.DebugException!;
        while (cause.InnerException is not null)
            cause = cause.InnerException;
        return Talk.OneLine(cause.Message);
    }
}
