using System.Diagnostics.CodeAnalysis;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Status = Google.Rpc.Status;

namespace KpiControl.Control.Hosting;

/// <summary>A caller's mistakes, as google.rpc.Status with one ErrorInfo; never exception text, SQL or another tenant's names.</summary>
internal static class Reject
{
    public const string Domain = "kpicontrol";

    /// <summary>The same words for what does not exist and for what is another tenant's.</summary>
    [DoesNotReturn]
    public static Exception NotFound(string what) =>
        throw Build(Code.NotFound, "NOT_FOUND", $"{what} was not found.");

    [DoesNotReturn]
    public static Exception Invalid(params IEnumerable<BadRequest.Types.FieldViolation> violations)
    {
        var detail = new BadRequest();
        detail.FieldViolations.AddRange(violations);
        var summary = string.Join("; ", detail.FieldViolations.Take(3).Select(v => v.Field.Length == 0 ? v.Description : $"{v.Field}: {v.Description}"));
        throw Build(Code.InvalidArgument, "INVALID_ARGUMENT", summary, detail);
    }

    [DoesNotReturn]
    public static Exception Invalid(string field, string description) =>
        throw Invalid(new BadRequest.Types.FieldViolation { Field = field, Description = description });

    [DoesNotReturn]
    public static Exception Precondition(string reason, string subject, string description)
    {
        var detail = new PreconditionFailure();
        detail.Violations.Add(new PreconditionFailure.Types.Violation { Type = reason, Subject = subject, Description = description });
        throw Build(Code.FailedPrecondition, reason, description, detail);
    }

    [DoesNotReturn]
    public static Exception Aborted(string reason, string description) => throw Build(Code.Aborted, reason, description);

    [DoesNotReturn]
    public static Exception Exists(string reason, string description, params (string Key, string Value)[] metadata) =>
        throw Build(Code.AlreadyExists, reason, description, metadata: metadata);

    [DoesNotReturn]
    public static Exception Denied(string verb) =>
        throw Build(Code.PermissionDenied, "VERB_NOT_GRANTED", $"Your roles do not grant {verb} here.", metadata: ("verb", verb));

    [DoesNotReturn]
    public static Exception Unauthenticated(string description) =>
        throw Build(Code.Unauthenticated, "UNAUTHENTICATED", description);

    /// <summary>Without RetryInfo, unlike the rest of its code: what is too large now is too large later.</summary>
    [DoesNotReturn]
    public static Exception TooLarge(string description) => throw Build(Code.ResourceExhausted, "TOO_LARGE", description);

    [DoesNotReturn]
    public static Exception Busy(string description) =>
        throw Build(Code.ResourceExhausted, "TOO_MANY", description, new RetryInfo { RetryDelay = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) });

    [DoesNotReturn]
    public static Exception TooManyCalls(TimeSpan wait) =>
        throw Build(Code.ResourceExhausted, "RATE_EXCEEDED", "You call more often than this control plane allows one caller; wait and try again.",
            new RetryInfo { RetryDelay = Duration.FromTimeSpan(wait) });

    [DoesNotReturn]
    public static Exception TooLong() => throw Build(Code.DeadlineExceeded, "TOO_LONG", "The call took longer than this control plane allows; with the same request_id it is safe to try again.");

    [DoesNotReturn]
    public static Exception Unavailable(string description) =>
        throw Build(Code.Unavailable, "UNAVAILABLE", description, new RetryInfo { RetryDelay = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) });

    /// <summary>Something of ours broke; the id finds it in the logs.</summary>
    public static RpcException Internal(string traceId) =>
        Build(Code.Internal, "INTERNAL", $"Something went wrong on our side; give {traceId} to your operator.", metadata: ("trace_id", traceId));

    private static RpcException Build(Code code, string reason, string message, Google.Protobuf.IMessage? detail = null, params (string Key, string Value)[] metadata)
    {
        var info = new ErrorInfo { Reason = reason, Domain = Domain };
        foreach (var (key, value) in metadata)
            info.Metadata.Add(key, value);
        var status = new Status { Code = (int)code, Message = message };
        status.Details.Add(Any.Pack(info));
        if (detail is not null)
            status.Details.Add(Any.Pack(detail));
        return status.ToRpcException();
    }
}
