namespace Vks.Runtime.Machines;

/// <summary>Takes a guest that is about to be saved once through what every machine of its kind does, so that no clone does it for the first time.</summary>
public interface ITemplateRehearsal
{
    /// <summary>Changes with whatever the rehearsal does or uses; part of a template's key.</summary>
    string Fingerprint { get; }

    /// <summary>Rehearses. What it leaves behind is in every clone, so it must be nothing that tells one from another.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="cancellationToken">Gives it up; the guest is ended then.</param>
    Task RunAsync(TemplateGuest guest, CancellationToken cancellationToken);
}
